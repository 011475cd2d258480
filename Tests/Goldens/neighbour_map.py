"""Writes neighbour_map.json: exact t-SNE in float64, as van der Maaten and Hinton (2008) write it, beside that of
scikit-learn.

    python Tests/Goldens/neighbour_map.py        needs numpy, scipy, scikit-learn
"""
import json
import pathlib

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.manifold import _t_sne

N, PERPLEXITY, EXAGGERATION, EARLY = 45, 8.0, 12.0, 20


def conditional(distances, i):
    others = np.delete(distances[i], i)

    def row(b):
        p = np.exp(-b * (others - others.min()))
        return p / p.sum()

    def excess(b):
        p = row(b)
        p = p[p > 0]
        return -(p * np.log(p)).sum() - np.log(PERPLEXITY)

    return np.insert(row(brentq(excess, 1e-9, 1e9, xtol=1e-14, maxiter=500)), i, 0)


def joint(distances):
    p = np.stack([conditional(distances, i) for i in range(N)])
    return (p + p.T) / (2 * N)


def gradient(p, y):
    difference = y[:, None] - y[None]
    kernel = 1 / (1 + (difference ** 2).sum(-1))
    np.fill_diagonal(kernel, 0)
    q = kernel / kernel.sum()
    return 4 * (((p - q) * kernel)[..., None] * difference).sum(1)


def divergence(p, y):
    kernel = 1 / (1 + squareform(pdist(y, 'sqeuclidean')))
    np.fill_diagonal(kernel, 0)
    q = kernel / kernel.sum()
    keep = p > 0
    return (p[keep] * np.log(p[keep] / q[keep])).sum()


def descend(p, y, iterations):
    update, gains, rate = np.zeros_like(y), np.ones_like(y), max(N / EXAGGERATION / 4, 50)
    for i in range(iterations):
        early = i < EARLY
        g = gradient(p * EXAGGERATION if early else p, y)
        gains = np.clip(np.where(update * g < 0, gains + 0.2, gains * 0.8), 0.01, None)
        update = (0.5 if early else 0.8) * update - rate * gains * g
        y = y + update
    return y


random = np.random.default_rng(11)
points = np.concatenate([random.normal(c, 1, (N // 3, 6)) for c in (0, 4, 9)]).astype(np.float32)
start = PCA(2, svd_solver='full').fit_transform(points.astype(np.float64))
distances = squareform(pdist(points.astype(np.float64), 'sqeuclidean'))
p = joint(distances)
theirs = squareform(_t_sne._joint_probabilities(distances, PERPLEXITY, 0))
assert abs(p - theirs).max() < 1e-6, abs(p - theirs).max()
y = start / start[:, 0].std() * 1e-4
few = descend(p, y, 6)
many = descend(p, y, 400)
json.dump({
    'points': points.tolist(), 'start': start.tolist(), 'perplexity': PERPLEXITY, 'exaggeration': EXAGGERATION,
    'exaggerated': EARLY, 'after 6': few.tolist(), 'divergence at start': divergence(p, y),
    'divergence after 6': divergence(p, few), 'divergence after 400': divergence(p, many),
}, open(pathlib.Path(__file__).with_name('neighbour_map.json'), 'w'))
print(divergence(p, y), divergence(p, few), divergence(p, many))
