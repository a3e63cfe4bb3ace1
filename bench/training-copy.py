"""kinscan's training, and that of its deep rivals, in PyTorch: many seeds side by side on one GPU.

`kinscan experiment` is the tool's own measurement, one network in 20 minutes of one core. This copy exists to repeat it
over seeds and settings (about half a second a network on an H100). First write what it reads, then train:

    kinscan bench training-copy --data brain_mri4 --out copy --seeds 12
    python3 bench/training-copy.py copy --method full --bits 16,32,48,64 --seeds 12 --rate 0.007

Needs PyTorch 1.13 or later and NumPy; a GPU is used where there is one. It prints mean and deviation over the seeds and,
with --out, writes one JSON document a network and line. Network, start, sampling, losses and metrics are those of
src/model and src/evaluation/rivals; matrix products may be TF32. From kinscan's own start weights and mini-batches, 20
iterations of the full loss gave kinscan's loss to four digits. Ties are broken by a random order of the gallery.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

SIDE = 32  # of the images, in pixels
UNITS = 500  # of fc1
SIDE_BY_SIDE = 16  # networks trained at once
ITERATIONS_A_GRAPH = 4
SIMILAR_SHARE = 2 / 5  # src/model/loss.ts
MOMENTUM, WEIGHT_DECAY = 0.9, 0.004
SCALING_IMAGES, CALIBRATION_IMAGES = 200, 500

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.backends.cudnn.benchmark = True
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True


class ImageSets:
    """Gallery (the training set too) and queries, as `kinscan bench training-copy` wrote them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.gallery, self.gallery_labels = self._read("gallery")
        self.queries, self.query_labels = self._read("queries")
        order = np.random.default_rng(0).permutation(len(self.gallery_labels))
        self.order = torch.tensor(order, device=device)
        self.gallery, self.gallery_labels = self.gallery[self.order], self.gallery_labels[self.order]
        self.classes = int(self.gallery_labels.max()) + 1
        self.mean = self.gallery.double().mean().item()
        self.deviation = self.gallery.double().std(unbiased=False).item()

    def _read(self, part):
        pixels = np.fromfile(self.folder / f"{part}.pixels", np.uint8).reshape(-1, 1, SIDE, SIDE)
        labels = np.fromfile(self.folder / f"{part}.labels", np.uint16).astype(np.int64)
        return torch.tensor(pixels.astype(np.float32) / 255, device=device), torch.tensor(labels, device=device)

    def cnnh_codes(self, seed, bits):
        """The first stage of CNNH, -1 or 1, shape [gallery, bits]."""
        packed = np.fromfile(self.folder / f"cnnh.{seed}.{bits}", np.uint8)
        codes = np.unpackbits(packed)[: len(self.order) * bits].reshape(-1, bits)
        return torch.tensor(codes.astype(np.float32) * 2 - 1, device=device)[self.order]

    def standardised(self, images):
        return (images - self.mean) / self.deviation

    def draw(self, count, generator, without=None):
        """Rows of the gallery: a class in proportion to the root of its size, its images evenly; one class never."""
        labels = self.gallery_labels.cpu().numpy()
        members = [np.flatnonzero(labels == label) for label in range(self.classes)]
        chances = np.array([0 if label == without else len(rows) ** 0.5 for label, rows in enumerate(members)])
        drawn = generator.choice(self.classes, count, p=chances / chances.sum())
        return torch.tensor([members[label][int(generator.random() * len(members[label]))] for label in drawn], device=device)


def layer_outputs(weights, images, whole=False):
    """Outputs of conv2, conv3, fc1 and the hash layer; with `whole`, conv1 before them."""
    w = [p.contiguous(memory_format=torch.channels_last) if p.dim() == 4 else p for p in weights]
    x = F.conv2d(images.contiguous(memory_format=torch.channels_last), w[0], w[1], padding=2)
    outputs = [F.relu(x)] if whole else []
    x = F.relu(F.max_pool2d(x, 3, 2, ceil_mode=True))
    for kernel, bias in ((w[2], w[3]), (w[4], w[5])):
        outputs.append(F.relu(F.conv2d(x, kernel, bias, padding=2)))
        x = F.avg_pool2d(outputs[-1], 3, 2, ceil_mode=True)
    outputs.append(F.relu(torch.addmm(w[7], x.permute(0, 2, 3, 1).flatten(1), w[6])))
    return [*outputs, torch.addmm(w[9], outputs[-1], w[8])]


def xavier(generator, shape, fan_in, fan_out):
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return torch.tensor((generator.random(shape) * 2 - 1) * limit, dtype=torch.float32, device=device)


def start_weights(generator, bits, divided):
    weights = []
    for fan_in, fan_out, shape in ((25, 800, (32, 1, 5, 5)), (800, 800, (32, 32, 5, 5)), (800, 1600, (64, 32, 5, 5))):
        weights += [xavier(generator, shape, fan_in, fan_out), torch.zeros(shape[0], device=device)]
    flat = 64 * (SIDE // 8) ** 2
    weights += [xavier(generator, (flat, UNITS), flat, UNITS), torch.zeros(UNITS, device=device)]
    mask = torch.ones(UNITS, bits, device=device)
    hash_layer = xavier(generator, (UNITS, bits), UNITS, bits)
    if divided:
        mask.zero_()
        for bit in range(bits):
            units = slice(bit * UNITS // bits, (bit + 1) * UNITS // bits)
            mask[units, bit] = 1
            count = units.stop - units.start
            hash_layer[units, bit] = xavier(generator, (count,), count, 1)
    return [*weights, hash_layer * mask, torch.zeros(bits, device=device)], mask


class Training:
    """One network."""

    def __init__(self, sets, seed, bits, options):
        self.sets, self.seed, self.bits, self.options = sets, seed, bits, options
        generator = np.random.default_rng([seed, bits])
        iterations, batch = options.iterations, options.batch
        rows = [
            sets.draw(count, generator, options.without)
            for count in (iterations * batch, SCALING_IMAGES, CALIBRATION_IMAGES)
        ]
        self.batches, scaling, self.calibration = rows[0].reshape(iterations, batch), rows[1], rows[2]
        weights, self.mask = start_weights(generator, bits, options.method == "dnnh")
        self._scale(weights, sets.standardised(sets.gallery[scaling]))
        self._calibrate(weights, sets.standardised(sets.gallery[self.calibration]))
        self.weights = [p.clone().requires_grad_(True) for p in weights]
        self.velocities = [torch.zeros_like(p) for p in weights]
        at = np.arange(iterations)
        rates = options.rate * 0.5 * (1 + np.cos(np.pi * at / iterations))
        if options.warm_up:
            rates *= np.minimum(1, (at + 1) / options.warm_up)
        self.rates = torch.tensor(rates, dtype=torch.float32, device=device)
        self.losses = torch.zeros(iterations, device=device)
        self.iteration = torch.zeros(1, dtype=torch.int64, device=device)
        self.pairs = torch.triu(torch.ones(batch, batch, device=device), 1)
        if options.method == "cnnh":
            self.targets = sets.cnnh_codes(seed, bits)

    @staticmethod
    def _scale(weights, images):
        """Every layer up to fc1 to a root mean square of 1."""
        with torch.no_grad():
            reached = 1.0
            for i, output in enumerate(layer_outputs(weights, images, whole=True)[:4]):
                wanted = 1 / output.pow(2).mean().sqrt().item()
                weights[2 * i] *= wanted / reached
                reached = wanted

    @staticmethod
    def _calibrate(weights, images):
        """The hash layer to mean 0 and deviation 1."""
        with torch.no_grad():
            outputs = layer_outputs(weights, images)[-2] @ weights[8]
            deviation = outputs.std(0, unbiased=False).clamp(min=1e-6)
            weights[8] /= deviation
            weights[9] = -outputs.mean(0) / deviation

    def loss(self, outputs, labels, rows):
        method, count = self.options.method, len(labels)
        if method == "cnnh":
            return 0.5 * (outputs.tanh() - self.targets[rows]).pow(2).sum() / count
        if method == "dh":
            return self._deep_hashing_loss(outputs.tanh(), labels)
        if method == "dnnh":
            return self._triplet_loss(torch.sigmoid(outputs), labels)
        embeddings = outputs - outputs.mean(0)
        same = (labels[:, None] == labels[None, :]).float()
        similar, dissimilar = same * self.pairs, (1 - same) * self.pairs
        share = similar * SIMILAR_SHARE / similar.sum() + dissimilar * (1 - SIMILAR_SHARE) / dissimilar.sum()
        squares = (embeddings * embeddings).sum(1)
        distances = squares[:, None] + squares[None, :] - 2 * embeddings @ embeddings.T
        margin = 2 * self.bits
        loss = 0.5 * (share * (similar * distances + dissimilar * (margin - distances).clamp(min=0))).sum()
        if method == "plain":
            return loss
        weight = share.sum(0) + share.sum(1)
        return loss + self.options.alpha * (weight * (embeddings.abs() - 1).abs().sum(1)).sum()

    def _deep_hashing_loss(self, values, labels):
        one_hot = F.one_hot(labels, self.sets.classes).float()
        mean = values.mean(0)
        class_means = one_hot @ ((one_hot.T @ values) / one_hot.sum(0).clamp(min=1)[:, None])
        scatter = (values - mean) ** 2 + (class_means - mean) ** 2 - (values - class_means) ** 2
        to_sign = values - torch.where(values >= 0, 1.0, -1.0)
        rows = self.weights[8].T
        off = rows @ rows.T - torch.eye(self.bits, device=device)
        return (0.5 * to_sign**2 - 0.5 * 100 * scatter).sum() / len(labels) + 0.25 * 0.001 * (off**2).sum()

    def _triplet_loss(self, squashed, labels):
        zero, one = torch.zeros_like(squashed), torch.ones_like(squashed)
        values = torch.where(squashed < 0.1, zero, torch.where(squashed > 0.9, one, squashed))
        same, count = labels[:, None] == labels[None, :], len(labels)
        itself = torch.eye(count, dtype=torch.bool, device=device)

        def partners(allowed):
            return (torch.rand(count, 10, count, device=device) * allowed[:, None, :]).argmax(2)

        def distance(partner):
            return (values[:, None, :] - values[partner]).pow(2).sum(2)

        return (distance(partners(same & ~itself)) - distance(partners(~same)) + 1).clamp(min=0).mean()

    def step(self):
        options = self.options
        rows = self.batches.index_select(0, self.iteration)[0]
        rate = self.rates.index_select(0, self.iteration)
        images = self.sets.gallery[rows]
        if options.mirror:
            turned = torch.rand(len(images), device=device) < 0.5
            images = torch.where(turned[:, None, None, None], images.flip(3), images)
        outputs = layer_outputs(self.weights, self.sets.standardised(images))[-1]
        loss = self.loss(outputs, self.sets.gallery_labels[rows], rows)
        gradients = list(torch.autograd.grad(loss, self.weights))
        with torch.no_grad():
            gradients[8] = gradients[8] * self.mask
            if options.clip:
                norm = torch.sqrt(sum((gradient * gradient).sum() for gradient in gradients))
                gradients = [gradient * (options.clip / norm).clamp(max=1) for gradient in gradients]
            for i, (weight, gradient, velocity) in enumerate(zip(self.weights, gradients, self.velocities)):
                decay = WEIGHT_DECAY * weight if i % 2 == 0 else 0
                velocity.mul_(MOMENTUM).sub_(rate * (gradient + decay))
                weight.add_(velocity)
            self.losses.index_copy_(0, self.iteration, loss.detach().reshape(1))
            self.iteration += 1

    def capture(self):
        """A few iterations as one CUDA graph, on a stream of the network's own."""
        start = [p.detach().clone() for p in self.weights]
        self.stream = torch.cuda.Stream()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.step()
            self.step()
        self.stream.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream):
            for _ in range(ITERATIONS_A_GRAPH):
                self.step()
        with torch.no_grad():
            for weight, value, velocity in zip(self.weights, start, self.velocities):
                weight.copy_(value)
                velocity.zero_()
            self.iteration.zero_()
        torch.cuda.synchronize()

    def result(self):
        loss = self.losses[-100:].mean().item()
        if not np.isfinite(loss):
            return {"diverged": True}
        sets, without = self.sets, self.options.without
        asked = slice(None) if without is None else sets.query_labels == without
        shift = self._encode(sets.gallery[self.calibration]).mean(0) if self.options.method in ("full", "plain") else 0
        gallery, queries = self._encode(sets.gallery) - shift, self._encode(sets.queries[asked]) - shift
        scores = score(gallery, sets.gallery_labels, queries, sets.query_labels[asked])
        return {**scores, "loss": loss}

    def _encode(self, images):
        with torch.no_grad():
            parts = images.split(1000)
            return torch.cat([layer_outputs(self.weights, self.sets.standardised(part))[-1] for part in parts])


def score(gallery, gallery_labels, queries, query_labels, top=100):
    """mAP over the first `top`: in the order of the gallery within ties, under worst ties, and by the real values."""
    bits = gallery.shape[1]
    codes, query_codes = torch.sign(gallery).double() + (gallery == 0), torch.sign(queries).double() + (queries == 0)
    distances = ((bits - query_codes @ codes.T) / 2).round().long()
    relevant = (query_labels[:, None] == gallery_labels[None, :]).double()
    order = (distances * len(codes) + torch.arange(len(codes), device=device)).argsort(1)
    worst = (distances * 2 + relevant.long()).argsort(1)

    def mean_average_precision(ranking):
        hits = relevant.gather(1, ranking)[:, :top]
        precision = hits.cumsum(1) / torch.arange(1, top + 1, device=device)
        return ((precision * hits).sum(1) / hits.sum(1).clamp(min=1)).mean().item()

    return {
        "map": mean_average_precision(order),
        "worstTies": mean_average_precision(worst),
        "beforeSign": mean_average_precision(torch.cdist(queries.double(), gallery.double()).argsort(1)),
        "distinctCodes": len(torch.unique(codes, dim=0)),
    }


def train_side_by_side(trainings, iterations):
    if device.type == "cpu":
        for training in trainings:
            for _ in range(iterations):
                training.step()
        return
    for training in trainings:
        training.capture()
    for _ in range(0, iterations, ITERATIONS_A_GRAPH):
        for training in trainings:
            with torch.cuda.stream(training.stream):
                training.graph.replay()
    torch.cuda.synchronize()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="written by `kinscan bench training-copy`")
    parser.add_argument("--method", choices=("full", "plain", "cnnh", "dnnh", "dh"), default="full")
    parser.add_argument("--bits", default="48", help="one or more code lengths, such as 16,48")
    parser.add_argument("--seeds", type=int, default=4, help="networks for each code length")
    parser.add_argument("--rate", type=float, default=0.007, help="highest learning rate; it falls along a half cosine")
    parser.add_argument("--warm-up", type=int, default=50, help="iterations over which the rate rises")
    parser.add_argument("--clip", type=float, default=10, help="greatest norm of a gradient; 0 for any")
    parser.add_argument("--alpha", type=float, default=0.01, help="weight of the regulariser of the full loss")
    parser.add_argument("--iterations", type=int, default=1600, help=f"mini-batches, a multiple of {ITERATIONS_A_GRAPH}")
    parser.add_argument("--batch", type=int, default=100, help="images in a mini-batch")
    parser.add_argument("--mirror", action="store_true", help="turn half of the images left to right")
    parser.add_argument("--without", type=int, help="number of a class to leave out of the training and to query with")
    parser.add_argument("--out", help="append a JSON document a network to this file")
    options = parser.parse_args()
    if options.iterations < ITERATIONS_A_GRAPH or options.iterations % ITERATIONS_A_GRAPH:
        parser.error(f"--iterations is a multiple of {ITERATIONS_A_GRAPH}")
    return options


def main():
    options = parse()
    sets = ImageSets(options.folder)
    lengths = [int(bits) for bits in options.bits.split(",")]
    wanted = [(bits, seed) for bits in lengths for seed in range(1, options.seeds + 1)]
    results = {bits: [] for bits in lengths}
    for at in range(0, len(wanted), SIDE_BY_SIDE):
        trainings = [Training(sets, seed, bits, options) for bits, seed in wanted[at : at + SIDE_BY_SIDE]]
        train_side_by_side(trainings, options.iterations)
        for training in trainings:
            result = training.result()
            results[training.bits].append(result)
            if options.out:
                line = {**vars(options), "bits": training.bits, "seed": training.seed, **result}
                with open(options.out, "a") as file:
                    file.write(json.dumps(line) + "\n")
    for bits, found in results.items():
        good = [result for result in found if "map" in result]

        def spread(name):
            values = [result[name] for result in good]
            deviation = statistics.stdev(values) if len(values) > 1 else 0
            return f"{statistics.mean(values):.4f} ± {deviation:.4f}" if values else "-"

        print(
            f"{options.method}, {bits} bits, {len(good)} of {len(found)} networks: mAP@100 {spread('map')}, "
            f"worst ties {spread('worstTies')}, before the sign {spread('beforeSign')}"
        )


if __name__ == "__main__":
    main()
