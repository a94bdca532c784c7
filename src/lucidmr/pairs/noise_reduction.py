"""The expected noise-reduction factor of a pair and the targets that have it.

Principle (Jeong et al., arXiv 2405.03684, section 2.2): independent random noise is not learnable. With input noise
e_y and target noise e_t the best output keeps (Cov(e_t, e_y) / Var(e_y)) e_y, so the factor is
Var(e_y) / Cov(e_y, e_t): a ratio of variances when noise is only added, not of standard deviations.
"""


def noise_reduction_factor(input_variance: float, covariance: float) -> float:
    """Var(e_y) / Cov(e_y, e_t).

    Args:
        input_variance: Variance of the input's noise.
        covariance: Covariance of the input's and the target's noise.

    Returns:
        The factor by which a trained network reduces the standard deviation of noise.

    Raises:
        ValueError: One of them is not positive: a target without noise has no finite factor.
    """
    if input_variance <= 0 or covariance <= 0:
        raise ValueError(f"input_variance is {input_variance:g} and covariance {covariance:g}; both must be positive")
    return input_variance / covariance


def shared_variance(input_variance: float, factor: float, overlap: float = 1.0) -> float:
    """Variance of the noise that input and target share so that a noisy target has the wanted factor.

    Args:
        input_variance: Variance of all noise in the input.
        factor: Wanted noise-reduction factor, at least 1.
        overlap: Cov / Var of the same k-space noise after the two chains.

    Returns:
        Variance of the common noise, at most ``input_variance``.
    """
    return min(input_variance / (factor * overlap), input_variance)


def retained_known_noise(factor: float, inherent_share: float, overlap: float = 1.0) -> float:
    """Share of the known noise to leave in a low-variance target.

    Let the input hold unknown noise u (inherent in the raw data, a share q of the variance, still in the target after
    its own filter) and known noise n. A target t = s + u_t + r n has

        E[t | y] = s + (q b + r (1 - q)) e_y,  b = overlap,

    so r = (1 / factor - q b) / (1 - q) gives every factor without bias, whatever noise the raw data had. With q = 0
    it is r = 1 / factor (the conditional expectation itself as target). r is negative where less noise is wanted
    than the raw data hold.

    Args:
        factor: Wanted noise-reduction factor, at least 1.
        inherent_share: q, in [0, 1).
        overlap: b.

    Returns:
        r.

    Raises:
        ValueError: ``inherent_share`` lies outside [0, 1).
    """
    if not 0.0 <= inherent_share < 1.0:
        raise ValueError(f"inherent_share is {inherent_share:g}; it must lie in [0, 1)")
    return (1.0 / factor - inherent_share * overlap) / (1.0 - inherent_share)
