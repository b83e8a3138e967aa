"""List the thresholds of the diagnosis, each with the reason for its value.

Values that charts show too (the healthy range of a metric) are those of `gradtui.metrics`. "SCIENCE.md" and
"ACCURACY.md" are the measurements of labelled nets that the values were chosen by. "Decades" are log10 of one gradient
over another.
"""

from __future__ import annotations

from gradtui import headlines, metrics

# -- the profile: the gradient at the first hidden layer over that at the last

VANISHING_DECADES = headlines.WEAK_DECADES
"""Vanishing nets lie below this; healthy ones stay above -0.9 (SCIENCE.md, rule 6)."""
EXPLODING_DECADES = headlines.STRONG_DECADES
"""Exploding nets begin at 1.5; healthy ones stay within 0.9 (SCIENCE.md, rule 6)."""
WEIGHTS_EXPLODING_DECADES = 2.0
"""The same where only the gradients of a script's weights are known: residual nets with batch norm that learn to 100 %
come to 1.2 decades, and every one of them is less even than its outputs' gradients."""
ROUGHLY_EVEN_DECADES = 1.0
"""Within this, either way, first and last layer are even: the healthy 0.9 and a little for noise."""
VANISHING_LAG_DECADES = -3.0
"""The same as VANISHING_DECADES over the time lags of a recurrent net (SCIENCE.md, rule 6)."""
CERTAINLY_VANISHING_DECADES = -3.3
CERTAINLY_EXPLODING_DECADES = 1.5
"""The mildest of the vanishing and exploding nets of SCIENCE.md: by these a run is judged that has not had the time to
show whether it learns."""

# -- does it learn: the loss over that of guessing

LEARNED_LOSS = 0.5
"""A net at or below this loss has learned, with any profile (SCIENCE.md, rule 5)."""
WELL_LEARNED_LOSS = 0.25
"""At or below this loss `gradtui fix` looks for nothing better: of ten digits such a net knows five in six."""
LEARNS_ANYWAY_LOSS = 0.65
"""A net with an uneven profile at or below this loss learns all the same, kept in check by clipping, a small rate or
Adam: SCIENCE.md's cures "batch 16" and "L1" learn, and end at 0.5 to 0.65."""
UNLEARNED_LOSS = 0.9
"""Above it nothing has been learned yet. The starved nets of SCIENCE.md end at 0.99 to 1.01, the slowest that learn
(sigmoid with shortcuts, the plain net of 57 layers) at 0.6 to 0.75."""
FAR_ABOVE_CHANCE = 1.5
"""A loss between chance and this says nothing, in any direction (SCIENCE.md, rule 2)."""
LOSS_STEPS = 10
"""The loss of now is the median of the last ten steps (SCIENCE.md, rule 5)."""

# -- what a loss means, in a script's own training

BELOW_ZERO = 1e-3
"""A loss that goes below 0 by less than this share of its largest value has done so by rounding."""
FEWEST_LOSSES = 10
"""With fewer losses than this nothing is said about their course."""
AROUND_ZERO_SHARE = 0.1
"""A loss is on both sides of 0 if so large a share of the losses is on either."""
SCATTERS_WIDELY = 0.5
"""Single losses scatter widely if their deviation is this share of their median: minibatches of a supervised loss come
to a tenth or less near guessing; an episode's loss, or that of one example, to its whole size."""
CONSTANT_SCATTER, VARIED_SCATTER = 1e-3, 5e-3
"""A loss has come to stand still if nine in ten of the last third lie within this share of their median, and single
losses deviated by this share at the beginning; in a training that works the share grows as the loss falls."""
JUMPED_LOSS = 5.0
"""A loss that is so many times the loss of guessing has jumped: no start by the usual rules gives so much."""
JUMP_SCATTER = 10.0
"""And it has jumped only if it rose by so many times what single losses scatter."""
NO_FLOOR_LEVEL, NO_FLOOR_FALL, STEADY_FALL = 10.0, 10.0, 0.5
"""A loss falls without end if it is below minus this (a mean of 10 nats), below minus so many times its size at the
beginning, and its last third has fallen by this share of what the one before fell: a floor slows it down."""

# -- does it learn: the answers, as a share of the way from guessing (0) to always right (1)

BETTER_THAN_GUESSING = 0.25
"""A net that answers so well has begun to learn, at any loss, if its answers have risen (see below); nets that were
only just made come to 0.16 by luck (ACCURACY.md)."""
RISEN_ANSWERS = 0.1
"""A net has begun to learn only if its answers have risen by this since it began: any net tells two arms of three
spirals apart."""
GOOD_ANSWERS = 0.4
"""Answers as good as those of SCIENCE.md's nets that explode at the start and learn nevertheless: 0.48 of ten digits
and more."""
FEWEST_ANSWERS = 128
"""Examples that an accuracy is taken over, at least."""

# -- is there enough to judge by

FEWEST_STEPS = 20
"""Before this a live run has no finding but "nonfinite": the recipes that clipping or a small rate hold need about so
many steps for their loss to come down."""
WARMUP_STEPS = 100
"""A live run is judged by what came in training, and not only by how it began, after so many steps."""
WARMUP_SHARE, MOST_WARMUP_STEPS = 0.35, 1000
"""A live run must also have taken this share of the planned steps, but no more than so many: nets with batch norm, and
those that adaptive rates hold, begin with an uneven gradient and a plateau, which most leave within the first third
(ACCURACY.md)."""
NEARLY_DONE_SHARE = 0.8
"""A finding that has not come after this share of the planned steps will not come: plateaus last for half of a run."""
NEARLY_DONE_STEPS = 2000
"""The same after so many steps, if no number of steps is planned."""
FALLING_RATIO = 0.95
"""The loss is falling if a later stretch of it over an earlier one is below this."""
CLEAR_ERRORS = 3.0
"""The loss is falling only if the two stretches differ by so many standard errors: the losses of small batches scatter
by a tenth."""

# -- how far a step moves the weights, as a share of their size

SMALLEST_UPDATE, LARGEST_UPDATE = metrics.HEALTHY_UPDATE_RATIO
"""A healthy update-to-weight ratio of a step (SCIENCE.md)."""
STANDSTILL_UPDATE = 1e-5
"""A tenth of the smallest healthy update. Where not even the layer that moves most comes to this, no profile is to
blame: the layer next to the loss gets all of its gradient (nets with such rates: 1e-8 to 6e-6; ACCURACY.md)."""
SHORTEST_WAY = 1e-3
"""The way of all steps together as a share of the weights, below which nothing was learned: ten of the smallest healthy
steps, and no net learns in ten."""
BREAKING_UPDATE = 1.0
"""An update as large as the weights themselves (TheDeepChecker warns at 0.1, SageMaker at 10)."""
RECENT_UPDATES = 10
"""Samples whose median is the usual update of late."""

# -- an exploding gradient and an unstable loss

UNSTABLE_LOSS = FAR_ABOVE_CHANCE
"""Times the chance loss and times the lowest loss before: one that begins high and stays or falls is slow, not
unstable."""
UNSTABLE_SHARE = 0.2
"""The loss is unstable if so large a share of the steps after the first quarter stands above it (SCIENCE.md, rule
2)."""
FEWEST_UNSTABLE_STEPS = 40
"""A run needs so many steps to be called unstable: the first quarter must have been some."""
UNSTABLE_END_SHARE = 0.25
"""The loss of a net that has learned must also be unstable in this last share of the steps: it must still swing."""
SMOOTHED_STEPS = 5
"""The lowest loss before is that of a median over so many steps (or a twentieth of the run): one lucky batch does not
count."""
SPIKE_RATIO = 50.0
"""A gradient norm so many times its median is a spike (SCIENCE.md, rules 3 and 7)."""
LONE_SPIKE_RATIO = 100.0
"""A spike is the cause of a failure by itself, with even gradients and living units, only if it is so high: in plain
nets of 57 layers, which fail by their depth, single norms come to 65 times the median (seeds 0 to 8, rates 0.003 to
0.01)."""
SPIKE_RISE = 5.0
"""A spike must also be so many times the first norm: a norm that falls from where it began is no explosion during
training."""
BLOWN_UP_RATIO = 1000.0
"""The largest gradient norm of a net that blew up and died (SCIENCE.md, rule 3), and its loss in times chance."""
GROWN_RATIO = 10.0
"""A gradient norm so many times its first value has grown before the numbers or the loss broke; noise does not."""
FEWEST_NORMS = 20
"""Norms without which nothing is said of their course in a script whose loss is not known."""
RUNAWAY_NORM = 1e3
"""A norm so many times that of the beginning, for an eighth of the run, runs away. In nets that learn it changes by two
decades at most, as that of a critic without a bound does."""
COLLAPSED_NORM = 1e-4
"""A norm so small a share of that of the beginning is next to nothing."""

# -- dead and saturated units

DEAD_SHARE = metrics.DEAD_SHARE
"""This share of dead units, of all that can die, is a finding (SCIENCE.md, rule 4)."""
MOSTLY_DEAD_LAYER = 0.5
"""A layer with so many dead units is named (SageMaker Debugger: over half of a layer)."""
DEAD_LAYER = 0.999
"""A layer without a living unit (SCIENCE.md, rule 4); not 1, for fractions are float32."""
SATURATED_SHARE = metrics.SATURATED_SHARE
"""The share of a layer's units that are saturated. tanh at sigma_w = 3 stands at 0.57 and learns with a small rate; it
is a finding only where nothing has been learned, for sigmoids beside shortcuts saturate and learn."""
FEWEST_EXAMPLES_SEEN = 128
"""Examples that must have been seen before a unit counts as dead: in a batch of one, most units of the healthiest net
are silent. In small batches, and in those of unknown size, only a whole dead layer is a finding."""
FEWEST_EXAMPLES_SEEN_LIVE = 32
"""Examples without which a run that still trains is not judged."""
AGREEING_SAMPLES = 3
"""Samples that must agree where the number of examples in a batch is not known."""

# -- a gradient that is exactly 0

SILENT_ROWS = 20
"""The number of steps in which a gradient must have been exactly 0 to count as cut off."""
SILENT_ROWS_AT_END = 3
"""The same number of steps in a run that is over."""
NOTHING_LEFT = 1e-7
"""The loss over its largest value at which nothing is left to learn: float32 tells no smaller share from 0."""
UNDERFLOW_SHARE = 0.5
"""So often must it have been exactly 0 to have fallen below fp16's smallest number: large steps of other layers lift it
above now and then (ACCURACY.md)."""
FP16_SMALLEST = 6e-8
"""The smallest number of fp16."""
NEAR_FP16_SMALLEST = 1e3
"""Times that: where the last layer that has a gradient is so close to it, the next ones fell below."""
LARGEST_LOSS_SCALE = 2.0**24
"""A number far below fp16's smallest over this was lost by float32, not by fp16."""

# -- single steps that stand out

OUTLIER_RATIO = 20.0
"""A step's gradient norm so many times the median of its neighbours stands out. Norms of healthy batches scatter by
a few times, also in small batches."""
OUTLIER_NEIGHBOURS = 16
"""Rows before a step, and behind it, that are its neighbours."""
MOST_SPIKES, SPIKE_SHARE = 3, 0.02
"""Up to so many steps, or this share of all, stand out one by one; more of them are how the gradient is."""

# -- what the recording of a script saw directly

NEVER_CLEARED = 0.9
"""Gradients are never cleared if so many of the steps still hold those of the step before. A script that clears them
at all does so at every step, or at one in some; the rest is for steps around an evaluation or a restart."""
CLEARED_TOO_RARELY = 0.2
"""From this share on it is worth a word: once in five steps or more rarely is an epoch's end, and no habit."""

# -- numbers that are not finite

LOSS_SCALING_ROWS, LOSS_SCALING_BROKEN = 20, 10
"""Adaptive loss scaling skips a step now and then by design: where it may be at work, so many of the newest rows must
be broken before gradients alone are a finding."""

# -- even gradients, and still it learns badly

CLIPPED_SHARE = 0.95
"""Clipping is no longer the exception if so large a share of the steps was clipped."""
CLIPPED_RATIO = 0.1
"""The median norm after clipping over that before, at which clipping is a finding."""
WORSE_ACCURACY = 0.1
"""A deeper net is degraded if its training accuracy is so much lower; between seeds of one net of SCIENCE.md it differs
by 0.06."""
WORSE_LOSS = 0.1
"""The same in times of the chance loss, for tasks without accuracy."""
HALVES_TO_GO, HALVES_TO_GO_LIVE = 2.0, 4.0
"""Halves of a run that a falling loss is allowed to take until it leaves chance behind, and in a live run; none beyond
the end of a learning rate that decays, since there the rate is next to 0."""
FALLEN_BACK_RATIO = 1.05
"""A loss of so many times the lowest that it had come to has risen again, and is not on its way down."""
FEWEST_LOSS_STEPS = 20
"""Steps whose median is the loss of now for that; in a long run a tenth of it."""

# -- comparing two runs

DIFFERENT_ACCURACY = 0.02
"""Two runs must differ by so much to be called better or worse: less is a matter of the seed."""
DIFFERENT_LOSS = 0.9
"""The same as a ratio of two losses, where there is no accuracy."""
