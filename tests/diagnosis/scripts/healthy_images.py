"""Define healthy trainings on images: classifiers, segmentation, contrastive and self-supervised, fine-tuning."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.diagnosis.scripts.examples import digit_images, digit_rows
from tests.diagnosis.scripts.registry import Recorder, healthy, loop, picks


def classify(
    recorder: Recorder, model: nn.Module, optimizer: torch.optim.Optimizer, **options: object
) -> bool:
    """Train a classifier of digit images."""
    x, y = digit_images()
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), **options)  # type: ignore[arg-type]


def convolution(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


@healthy("LeCun et al. 1998: LeNet with tanh and average pooling, plain SGD")
def lenet_tanh(recorder: Recorder) -> bool:
    model = (
        nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 3),
            nn.Tanh(),
            nn.Flatten(),
        )
        .append(nn.Linear(64, 40))
        .append(nn.Tanh())
        .append(nn.Linear(40, 10))
    )
    return classify(recorder, model, torch.optim.SGD(model.parameters(), 0.1), steps=300)


@healthy("Springenberg et al. 2015: all convolutional, global average pooling")
def all_convolutional(recorder: Recorder) -> bool:
    model = nn.Sequential(
        convolution(1, 16), convolution(16, 32, 2), convolution(32, 32), nn.Conv2d(32, 10, 1)
    )
    model.append(nn.AdaptiveAvgPool2d(1)).append(nn.Flatten())
    return classify(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), steps=150)


@healthy("Howard et al. 2019: squeeze and excitation, hard swish, RMSprop")
def squeeze_excitation(recorder: Recorder) -> bool:
    class Squeeze(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.gates = nn.Sequential(
                nn.Linear(width, width // 4), nn.ReLU(), nn.Linear(width // 4, width), nn.Hardsigmoid()
            )

        def forward(self, x: Tensor) -> Tensor:
            return x * self.gates(x.mean((2, 3)))[:, :, None, None]

    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.Hardswish(),
        Squeeze(16),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.BatchNorm2d(32),
        nn.Hardswish(),
        Squeeze(32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )
    return classify(recorder, model, torch.optim.RMSprop(model.parameters(), 2e-3), steps=150)


@healthy("Liu et al. 2022: ConvNeXt blocks, layer norm, GELU, layer scale of 1e-6, AdamW")
def convnext_layer_scale(recorder: Recorder) -> bool:
    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
            self.norm = nn.GroupNorm(1, width)
            self.wide, self.narrow = nn.Conv2d(width, 4 * width, 1), nn.Conv2d(4 * width, width, 1)
            self.scale = nn.Parameter(1e-6 * torch.ones(width, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.scale * self.narrow(F.gelu(self.wide(self.norm(self.depthwise(x)))))

    model = nn.Sequential(nn.Conv2d(1, 24, 2, 2), *[Block(24) for _ in range(4)], nn.AdaptiveAvgPool2d(1))
    model.append(nn.Flatten()).append(nn.Linear(24, 10))
    return classify(
        recorder, model, torch.optim.AdamW(model.parameters(), 4e-3, weight_decay=0.05), steps=250
    )


@healthy(
    "Zagoruyko and Komodakis 2016: wide residual net with dropout, Nesterov, step schedule, weight decay 5e-4"
)
def wide_residual(recorder: Recorder) -> bool:
    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first = nn.Sequential(
                nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
            )
            self.second = nn.Sequential(
                nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(width, width, 3, padding=1)
            )

        def forward(self, x: Tensor) -> Tensor:
            return x + self.second(self.first(x))

    model = nn.Sequential(
        nn.Conv2d(1, 24, 3, 2, 1), Block(24), Block(24), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    model.append(nn.Linear(24, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [100, 150], 0.2)
    return classify(recorder, model, optimizer, steps=200, scheduler=schedule)


@healthy("Szegedy et al. 2015: an auxiliary head in the middle, its loss at weight 0.3")
def auxiliary_head(recorder: Recorder) -> bool:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.low = nn.Sequential(convolution(1, 16), convolution(16, 24, 2))
            self.high = nn.Sequential(convolution(24, 24), convolution(24, 24))
            self.early, self.late = nn.Linear(24, 10), nn.Linear(24, 10)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            low = self.low(x)
            return self.late(self.high(low).mean((2, 3))), self.early(low.mean((2, 3)))

    model, (x, y) = Net(), digit_images()

    def loss_of(i: Tensor) -> Tensor:
        late, early = model(x[i])
        return F.cross_entropy(late, y[i]) + 0.3 * F.cross_entropy(early, y[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=150)


@healthy("Klambauer et al. 2017: SELU with LeCun's weights and alpha dropout, twelve layers")
def selu_self_normalising(recorder: Recorder) -> bool:
    model = nn.Sequential(nn.Flatten())
    for inside, outside in zip([64, *[48] * 11], [48] * 12, strict=True):
        model.append(nn.Linear(inside, outside)).append(nn.SELU()).append(nn.AlphaDropout(0.02))
        nn.init.kaiming_normal_(model[-3].weight, nonlinearity="linear")  # type: ignore[arg-type]
    model.append(nn.Linear(48, 10))
    return classify(recorder, model, torch.optim.SGD(model.parameters(), 0.02, momentum=0.9), steps=250)


@healthy("Srivastava et al. 2015: highway layers whose gates start closed")
def highway_layers(recorder: Recorder) -> bool:
    class Highway(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.new, self.gate = nn.Linear(width, width), nn.Linear(width, width)
            nn.init.constant_(self.gate.bias, -2.0)

        def forward(self, x: Tensor) -> Tensor:
            gate = torch.sigmoid(self.gate(x))
            return gate * F.relu(self.new(x)) + (1 - gate) * x

    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48), *[Highway(48) for _ in range(10)], nn.Linear(48, 10)
    )
    return classify(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), steps=200)


@healthy("Long et al. 2015: segmentation by transposed convolutions, Dice loss on top of cross-entropy")
def segmentation_dice(recorder: Recorder) -> bool:
    x, _ = digit_images()
    mask = (x > 0).float()
    noisy = x + 0.3 * torch.randn_like(x)
    model = nn.Sequential(
        convolution(1, 16, 2), convolution(16, 32, 2), nn.ConvTranspose2d(32, 16, 2, 2), nn.ReLU()
    )
    model.append(nn.ConvTranspose2d(16, 1, 2, 2))

    def loss_of(i: Tensor) -> Tensor:
        scores = model(noisy[i])
        likely = scores.sigmoid()
        dice = 1 - (2 * (likely * mask[i]).sum() + 1) / (likely.sum() + mask[i].sum() + 1)
        return dice + F.binary_cross_entropy_with_logits(scores, mask[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(x), steps=180)


@healthy("Soft Jaccard as a score to raise: the loss is its negative, from above -1 to near -1")
def negative_jaccard(recorder: Recorder) -> bool:
    x, _ = digit_images()
    mask = (x > 0).float()
    noisy = x + 0.3 * torch.randn_like(x)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid()
    )

    def loss_of(i: Tensor) -> Tensor:
        both = (model(noisy[i]) * mask[i]).sum()
        return -both / (model(noisy[i]).sum() + mask[i].sum() - both)

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(x), steps=180)


@healthy("Bromley et al. 1993, Hadsell et al. 2006: two towers with the same weights, contrastive loss")
def siamese_contrastive(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def loss_of(i: Tensor) -> Tensor:
        half = len(i) // 2
        a, b = model(x[i[:half]]), model(x[i[half:]])
        same = (y[i[:half]] == y[i[half:]]).float()
        distance = (a - b).norm(dim=1)
        return (same * distance**2 + (1 - same) * F.relu(2 - distance) ** 2).mean()

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), batch=64, steps=200
    )


@healthy("Radford et al. 2021: two towers, symmetric cross-entropy, a learned temperature")
def two_towers_clip(recorder: Recorder) -> bool:
    x, y = digit_rows()

    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 16))
            self.word = nn.Sequential(nn.Embedding(10, 32), nn.GELU(), nn.Linear(32, 16))
            self.temperature = nn.Parameter(torch.tensor(2.0))

        def forward(self, images: Tensor, words: Tensor) -> Tensor:
            a, b = F.normalize(self.image(images), dim=1), F.normalize(self.word(words), dim=1)
            return self.temperature.exp() * a @ b.T

    model = Towers()
    one_of_each = [torch.nonzero(y == digit).flatten() for digit in range(10)]

    def loss_of(_: Tensor) -> Tensor:
        i = torch.stack([some[torch.randint(len(some), ())] for some in one_of_each])
        scores, right = model(x[i], y[i]), torch.arange(10)
        return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2

    return loop(recorder, model, torch.optim.AdamW(model.parameters(), 2e-3), loss_of, len(x), steps=200)


@healthy("Grill et al. 2020: BYOL, a moving average as target, which no optimizer moves")
def byol_moving_target(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    online = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 16))
    predictor = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    target = copy.deepcopy(online).requires_grad_(False)
    model = nn.ModuleDict({"online": online, "predictor": predictor, "target": target})
    optimizer = torch.optim.Adam([*online.parameters(), *predictor.parameters()], 1e-3)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 64, 200):
        one, two = (x[i] + 0.3 * torch.randn(64, 64) for _ in range(2))
        loss = 2 - 2 * F.cosine_similarity(predictor(online(one)), target(two).detach()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(target.parameters(), online.parameters(), strict=True):
                kept.lerp_(new, 0.05)
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("Howard and Ruder 2018: gradual unfreezing, a small rate below and a large one above")
def gradual_unfreezing(recorder: Recorder) -> bool:
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    model = nn.Sequential(body, nn.Linear(32, 10))
    body.requires_grad_(False)
    groups = [{"params": body.parameters(), "lr": 1e-4}, {"params": model[1].parameters(), "lr": 1e-2}]
    optimizer, (x, y) = torch.optim.Adam(groups), digit_images()
    recorder.watch(model, optimizer)
    for number, i in enumerate(picks(len(x), 32, 240)):
        if number == 120:
            body.requires_grad_(True)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("Houlsby et al. 2019: adapters that start at nothing in a frozen, trained net")
def adapters_in_frozen_net(recorder: Recorder) -> bool:
    x, y = digit_rows()
    layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(3)])
    head = nn.Linear(64, 10)
    before = torch.optim.Adam([*layers.parameters(), *head.parameters()], 2e-3)

    def scores(inputs: Tensor, adapters: nn.ModuleList | None = None) -> Tensor:
        for number, layer in enumerate(layers):
            inputs = F.relu(layer(inputs))
            if adapters is not None:
                inputs = inputs + adapters[number](inputs)
        return head(inputs)

    for i in picks(len(x), 64, 100):
        before.zero_grad()
        F.cross_entropy(scores(x[i]), y[i] // 2).backward()
        before.step()
    layers.requires_grad_(False)
    adapters = nn.ModuleList([nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 64)) for _ in range(3)])
    for adapter in adapters:
        nn.init.zeros_(adapter[2].weight)  # type: ignore[index]
        nn.init.zeros_(adapter[2].bias)  # type: ignore[index]
    model = nn.ModuleDict({"layers": layers, "adapters": adapters, "head": head})
    optimizer = torch.optim.Adam([*adapters.parameters(), *head.parameters()], 3e-3)
    return loop(
        recorder, model, optimizer, lambda i: F.cross_entropy(scores(x[i], adapters), y[i]), len(x), steps=200
    )


@healthy("Foret et al. 2021 in spirit: the gradient is taken at a disturbed point, Adam steps at the old one")
def sharpness_aware(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 32, 200):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()
            moved = [0.05 * p.grad / norm for p in model.parameters() if p.grad is not None]
            for p, by in zip(model.parameters(), moved, strict=True):
                p.add_(by)
        optimizer.zero_grad()
        F.cross_entropy(model(x[i]), y[i]).backward()
        with torch.no_grad():
            for p, by in zip(model.parameters(), moved, strict=True):
                p.sub_(by)
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("Lin et al. 2017: focal loss over rare classes; its value is small from the start")
def focal_loss(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model, rare = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 1)), (y == 3).float()[:, None]

    def loss_of(i: Tensor) -> Tensor:
        plain = F.binary_cross_entropy_with_logits(model(x[i]), rare[i], reduction="none")
        return ((1 - torch.exp(-plain)) ** 2 * plain).mean()

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), batch=64, steps=250
    )


@healthy("L-BFGS, whose closure is called several times in each step")
def lbfgs_closure(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    recorder.watch(model, optimizer)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[:600]), y[:600])
        loss.backward()
        return loss

    for _ in range(60):
        recorder.log(loss=optimizer.step(closure))  # type: ignore[arg-type]
    return recorder.fell()
