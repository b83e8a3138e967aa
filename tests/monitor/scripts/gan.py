"""Train a generative adversarial net of two models and two optimizers, after the usual tutorial."""

import math
import sys

import torch
import torch.nn as nn
import torch.optim as optim

import gradtui

nz, ngf, ndf, batch_size = 16, 8, 8, 16


def weights_init(m):
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input).view(-1)


def norm(module):
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in module.parameters()))


torch.manual_seed(999)
netG = Generator().apply(weights_init)
netD = Discriminator().apply(weights_init)
criterion = nn.BCELoss()
optimizerD = optim.Adam(netD.parameters(), lr=0.0002, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=0.001, betas=(0.5, 0.999))
gradtui.watch({"generator": netG, "discriminator": netD}, [optimizerD, optimizerG], name="gan")

for i in range(int(sys.argv[1])):
    # Maximise log(D(x)) + log(1 - D(G(z))).
    netD.zero_grad()
    real = torch.sin(torch.linspace(0, 6, 256)).view(16, 16).repeat(batch_size, 1, 1, 1)
    errD_real = criterion(netD(real), torch.ones(batch_size))
    errD_real.backward()
    fake = netG(torch.randn(batch_size, nz, 1, 1))
    errD_fake = criterion(netD(fake.detach()), torch.zeros(batch_size))
    errD_fake.backward()
    discriminator = norm(netD)
    optimizerD.step()
    # Maximise log(D(G(z))).
    netG.zero_grad()
    errG = criterion(netD(fake), torch.ones(batch_size))
    errG.backward()
    first, last = norm(netG.main[0]), norm(netG.main[6])
    total = math.hypot(norm(netG), discriminator)
    optimizerG.step()
    print(i + 1, errG.item(), total, first, last, flush=True)
