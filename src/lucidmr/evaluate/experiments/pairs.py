"""The paper's scenario mix on anatomy that no network was trained on: closeness to the truth, ours and the peers'."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Final

import torch

from lucidmr.context import GAIN_RANGE, NOISE_REDUCTION_RANGE, Enhancement, clamped
from lucidmr.degrade.draw import Degradation, draw_degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.enhance.calibrate import nominal
from lucidmr.evaluate.bench import Bench
from lucidmr.evaluate.finding import Figure, Finding, Table, shown
from lucidmr.evaluate.peers import ABSENT, DENOISERS, Peer, tune
from lucidmr.evaluate.plates import magnified_plate
from lucidmr.evaluate.sharpness import bootstrap_median
from lucidmr.evaluate.specimens import Quality, Specimen, enhanced, quality, simulate, specimens
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.draw import draw_reconstruction
from lucidmr.shapes import Image

TITLE: Final = "Simulated pairs"
CONVENTIONAL: Final = "conventional reconstruction"
OURS: Final = "lucidmr"
WITHOUT: Final = "lucidmr without context, one answer"
ONE_ANSWER: Final = "lucidmr, one answer"
"""As trained, like the network without context that it is compared with: the dial is not calibrated, as that network
reaches a far smaller noise reduction."""
SPECIMENS: Final = 8
SCENARIOS: Final = 3
"""Of each specimen."""
_RANGES: Final = DegradationRanges(noise=(0.03, 0.15), noise_reduction=(2.0, 8.0), leave_noise_probability=0.0)
"""Of training, but for those that leave nothing to be gained: an image with less noise, or one that is to stay as it
is, comes no closer to its truth by any method."""


@dataclass(frozen=True)
class Scored:
    """One pair, by every method.

    Attributes:
        specimen: Its name.
        asked: What was asked for.
        quality: Closeness to the truth by method.
        noise_reduction: What methods reach, measured; peers are tuned to what lucidmr does.
        images: By method, and the truth.
    """

    specimen: str
    asked: Enhancement
    quality: Mapping[str, Quality]
    noise_reduction: Mapping[str, float]
    images: Mapping[str, Image]

    def gain(self, method: str, over: str = CONVENTIONAL) -> float:
        """PSNR over another method's, dB."""
        return self.quality[method].psnr - self.quality[over].psnr


def pairs(bench: Bench) -> Finding:
    """Draw scenarios as for training, enhance what the scanner stores, and compare with the truth.

    Args:
        bench: Data and network.

    Returns:
        The finding.
    """
    found, notes = specimens(bench, 2 if bench.quick else SPECIMENS)
    peers = [peer for peer in DENOISERS if peer.installed]
    notes += [f"{peer.name}: needs {peer.package} (extra peers)" for peer in DENOISERS if not peer.installed]
    scored = [_score(bench, one, number, peers) for one in found for number in range(1 if bench.quick else SCENARIOS)]
    rivals = {peer.name: OURS for peer in peers} | ({WITHOUT: ONE_ANSWER} if bench.without_context else {})
    best = min(rivals, key=lambda name: fmean(one.gain(rivals[name], name) for one in scored), default="")
    ours = _by_specimen(scored, OURS, CONVENTIONAL)
    measures = {"psnr": ours}
    if best:
        measures["psnr peers"] = _by_specimen(scored, rivals[best], best)
    if bench.without_context:
        measures["context"] = _by_specimen(scored, ONE_ANSWER, WITHOUT)
    as_trained = {ONE_ANSWER: ONE_ANSWER} if bench.without_context else {}
    table = _table(bench, scored, {CONVENTIONAL: OURS, OURS: OURS, **rivals, **as_trained})
    interval = bootstrap_median(torch.tensor(list(ours.values())), bench.generator("pairs"))
    return Finding(
        "pairs",
        TITLE,
        f"{len(scored)} scenarios on {len(found)} specimens: PSNR {shown(interval, 1)} dB over the conventional "
        f"reconstruction (median over specimens, 95 %). The peer that comes closest to lucidmr is {best or 'none'}.",
        (table, _every_pair(scored)),
        tuple(_figure(one) for one in scored[:1]),
        {"psnr_gain": {name: _by_specimen(scored, name, CONVENTIONAL) for name in scored[0].quality}},
        (*notes, *ABSENT),
        measures,
    )


def _score(bench: Bench, specimen: Specimen, number: int, peers: list[Peer]) -> Scored:
    generator = bench.generator(f"pair {specimen.name} {number}")
    scan = specimen.scan
    drawn = draw_degradation(_RANGES, specimen.full, scan.n_coils, 0.0, generator)
    how = draw_reconstruction(drawn, scan.matrix, scan.maps is not None, generator)
    asked, target = _asked(drawn)
    simulation = simulate(specimen, replace(drawn, target=target), how)
    series = enhanced(bench, simulation, f"pair-{_safe(specimen.name)}-{number}", asked)
    truth = series.interpolated(simulation.truth)[0]
    images = {CONVENTIONAL: torch.from_numpy(series.original(0)), OURS: torch.from_numpy(series.image(0))}
    noise = series.noise(0)
    reached = {OURS: series.dial(0).calibration.expected}
    if bench.without_context:
        as_trained = replace(series, fixed=nominal(asked.noise_reduction), dials={})
        images[ONE_ANSWER] = torch.from_numpy(as_trained.image(0))
        images[WITHOUT] = torch.from_numpy(replace(as_trained, model=bench.without_context, dials={}).image(0))
    for peer in peers:
        plane = torch.from_numpy(series.source.image(0))
        if noise.sd > 0:
            tuned = tune(peer, plane, noise, reached[OURS])
            plane, reached[peer.name] = tuned.image, tuned.noise_reduction
        images[peer.name] = series.interpolated(plane[None])[0]
    scores = {name: quality(image, truth) for name, image in images.items()}
    return Scored(specimen.name, asked, scores, reached, {**images, "truth": truth})


def _asked(drawn: Degradation) -> tuple[Enhancement, Sampling]:
    """A drawn improvement in a user's words, and the sampling that those words want."""
    given, target = drawn.input, drawn.target
    restore = any(getattr(target, name).fraction > getattr(given, name).fraction for name in ("freq", "phase", "slice"))
    axes = {
        name: replace(getattr(target, name), fraction=1.0 if restore else getattr(given, name).fraction)
        for name in ("freq", "phase")
    }
    wanted = Enhancement(
        clamped(drawn.noise_reduction, NOISE_REDUCTION_RANGE),
        gain_freq=_gain(target.freq, given.freq),
        gain_phase=_gain(target.phase, given.phase),
        restore_partial_fourier=restore,
    )
    return wanted, replace(target, **axes, undersampling=None)


def _gain(target: AxisSampling, given: AxisSampling) -> float:
    return clamped(target.width / given.width, GAIN_RANGE)


def _by_specimen(scored: list[Scored], method: str, over: str) -> dict[str, float]:
    """Mean PSNR gain of each specimen's pairs, dB."""
    gains = defaultdict(list)
    for one in scored:
        gains[one.specimen].append(one.gain(method, over))
    return {name: fmean(values) for name, values in gains.items()}


def _table(bench: Bench, scored: list[Scored], rivals: Mapping[str, str]) -> Table:
    """Every method, and over it what stands for lucidmr at the same noise reduction."""
    rows = []
    for name, ours in rivals.items():
        gains = torch.tensor(list(_by_specimen(scored, name, CONVENTIONAL).values()))
        against = torch.tensor(list(_by_specimen(scored, ours, name).values()))
        rows.append(
            (
                name,
                shown(bootstrap_median(gains, bench.generator(name))),
                shown(bootstrap_median(against, bench.generator(name))),
                _median_reached(scored, name),
                round(fmean(one.quality[name].psnr for one in scored), 2),
                round(fmean(one.quality[name].ssim for one in scored), 4),
                round(fmean(one.quality[name].nrmse for one in scored), 4),
            )
        )
    gain, over = "PSNR gain, dB [95 % over specimens]", "lucidmr over it, dB"
    heads = ("method", gain, over, "noise reduction", "PSNR, dB", "SSIM", "NRMSE")
    return Table("Every method at the same noise reduction; single answers as trained", heads, tuple(rows))


def _median_reached(scored: list[Scored], method: str) -> float | None:
    found = [one.noise_reduction[method] for one in scored if method in one.noise_reduction]
    return round(median(found), 2) if found else None


def _every_pair(scored: list[Scored]) -> Table:
    asked = ("noise reduction asked", "reached", "gain freq", "gain phase")
    heads = ("specimen", *asked, "PSNR before, dB", "PSNR after, dB", "best peer")
    return Table("Every scenario", heads, tuple(_row(one) for one in scored))


def _row(one: Scored) -> tuple[str | float | None, ...]:
    peers = {name: found.psnr for name, found in one.quality.items() if name not in (OURS, ONE_ANSWER, CONVENTIONAL)}
    best = max(peers, key=peers.__getitem__, default=None)
    asked = (one.asked.noise_reduction, one.noise_reduction[OURS], one.asked.gain_freq, one.asked.gain_phase)
    scores = (one.quality[CONVENTIONAL].psnr, one.quality[OURS].psnr)
    return one.specimen, *(round(value, 2) for value in (*asked, *scores)), best and f"{best}: {peers[best]:.2f} dB"


def _figure(one: Scored) -> Figure:
    names = [CONVENTIONAL, OURS, *(name for name in one.images if name in (WITHOUT, "non-local means")), "truth"]
    asked = f"noise reduction {one.asked.noise_reduction:.1f}, gains {one.asked.gain_freq:.1f}, "
    return magnified_plate(
        f"A scenario on {one.specimen}",
        f"Asked for: {asked}{one.asked.gain_phase:.1f}; peers at the same noise reduction.",
        [(name, one.images[name]) for name in names],
    )


def _safe(name: str) -> str:
    """A name that can be a folder's."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)
