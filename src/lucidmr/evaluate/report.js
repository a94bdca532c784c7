document.querySelectorAll(".compare").forEach(function (card) {
  var views = card.querySelectorAll(".view");
  var timer = null;
  function cut(view, value) {
    view.querySelector(".slider").style.setProperty("--cut", value + "%");
    view.querySelector("input").value = value;
  }
  views.forEach(function (view) {
    view.querySelector("input").addEventListener("input", function (event) { stop(); cut(view, event.target.value); });
  });
  card.querySelector(".slices").addEventListener("change", function (event) {
    views.forEach(function (view, index) { view.hidden = index !== Number(event.target.value); });
  });
  var button = card.querySelector(".blink");
  function stop() {
    clearInterval(timer); timer = null; button.setAttribute("aria-pressed", "false"); card.classList.remove("blinking");
  }
  button.addEventListener("click", function () {
    if (timer) { stop(); views.forEach(function (view) { cut(view, 50); }); return; }
    var after = false;
    button.setAttribute("aria-pressed", "true"); card.classList.add("blinking");
    function flip() { after = !after; views.forEach(function (view) { cut(view, after ? 0 : 100); }); }
    flip(); timer = setInterval(flip, 800);
  });
});
