"""List the thresholds of the diagnosis, each with the reason for its value.

Values that charts show too (the healthy range of a metric) are in `gradtui.metrics`. The values were chosen by the
measurements of labelled nets in ACCURACY.md and RECIPES.md, which are beside this file. "Decades" are log10 of one
gradient over another.
"""

from __future__ import annotations

from gradtui import headlines, metrics

# -- the profile: the gradient at the first hidden layer over that at the last

VANISHING_DECADES = headlines.WEAK_DECADES
"""Vanishing nets are below this; healthy ones stay above -0.9 (RECIPES.md, rule 6)."""
EXPLODING_DECADES = headlines.STRONG_DECADES
"""Exploding nets begin at 1.5; healthy ones stay within 0.9 (RECIPES.md, rule 6)."""
WEIGHTS_EXPLODING_DECADES = 2.0
"""The same where only the gradients of a script's weights are known: residual nets with batch norm that learn to 100 %
come to 1.2 decades, and every one of them is less even than its outputs' gradients."""
ROUGHLY_EVEN_DECADES = 1.0
"""Within this, either way, first and last layer are even: the healthy 0.9 and a little for noise."""
VANISHING_LAG_DECADES = -3.0
"""The same as VANISHING_DECADES over the time lags of a recurrent net (RECIPES.md, rule 6)."""
CERTAINLY_VANISHING_DECADES = -3.3
CERTAINLY_EXPLODING_DECADES = 1.5
"""The mildest vanishing and exploding nets of RECIPES.md: the limits for a run that was too short to show whether it
learns."""

# -- does it learn: the loss over that of guessing

LEARNED_LOSS = 0.5
"""A net at or below this loss has learned, with any profile (RECIPES.md, rule 5)."""
WELL_LEARNED_LOSS = 0.25
"""At or below this loss `gradtui fix` stops: such a net recognises five in six of the digits."""
LEARNS_ANYWAY_LOSS = 0.65
"""A net with an uneven profile at or below this loss learns all the same, thanks to clipping, a small rate or Adam:
RECIPES.md's cures "batch 16" and "L1" learn, and end at 0.5 to 0.65."""
UNLEARNED_LOSS = 0.9
"""Above it nothing has been learned yet. The vanishing nets of RECIPES.md end at 0.99 to 1.01, the slowest that learn
(sigmoid with shortcuts, the plain net of 57 layers) at 0.6 to 0.75."""
FAR_ABOVE_CHANCE = 1.5
"""A loss between chance and this says nothing, in any direction (RECIPES.md, rule 2)."""
LOSS_STEPS = 10
"""The present loss is the median of this many last steps (RECIPES.md, rule 5)."""

# -- what a loss means, in a script's own training

BELOW_ZERO = 1e-3
"""A loss that goes below 0 by less than this share of its largest value has done so by rounding."""
FEWEST_LOSSES = 10
"""The course of fewer losses than this is not judged."""
AROUND_ZERO_SHARE = 0.1
"""A loss is on both sides of 0 if at least this share of the losses is on each side."""
SCATTERS_WIDELY = 0.5
"""Single losses scatter widely if their deviation is this share of their median: minibatches of a supervised loss come
to a tenth or less near guessing; an episode's loss, or that of one example, to its whole size."""
CONSTANT_SCATTER, VARIED_SCATTER = 1e-3, 5e-3
"""A loss has become constant if nine in ten of the last third are within the first share of their median, and single
losses deviated by the second share at the beginning; in a training that works the share grows as the loss falls."""
JUMPED_LOSS = 5.0
"""A loss that is this many times the loss of guessing has jumped: no usual initialisation gives such a loss."""
JUMP_SCATTER = 10.0
"""A loss has jumped only if it also rose by this many times the scatter of single losses."""
NO_FLOOR_LEVEL, NO_FLOOR_FALL, STEADY_FALL = 10.0, 10.0, 0.5
"""A loss falls without end if it is below minus the first value (a mean of 10 nats), below minus its size at the
beginning times the second, and its last third has fallen by this share of the third before: a floor would slow it."""

# -- does it learn: the answers, as a share of the way from guessing (0) to always right (1)

BETTER_THAN_GUESSING = 0.25
"""A net with such answers has begun to learn, at any loss, if its answers have improved (see below); untrained nets
reach 0.16 by luck (ACCURACY.md)."""
RISEN_ANSWERS = 0.1
"""A net has begun to learn only if its answers have improved by this since the start: any net distinguishes two of the
three spirals."""
GOOD_ANSWERS = 0.4
"""RECIPES.md's nets that explode at the start and learn nevertheless have such answers: 0.48 of ten digits and more."""
FEWEST_ANSWERS = 128
"""The fewest examples from which an accuracy is computed."""

# -- is there enough to judge by

FEWEST_STEPS = 20
"""Before this step a live run has no finding but "nonfinite": recipes with clipping or a small rate need about this
many steps until their loss falls."""
WARMUP_STEPS = 100
"""After this many steps a live run is judged by its training too, and not only by its start."""
WARMUP_SHARE, MOST_WARMUP_STEPS = 0.35, 1000
"""A live run must also have taken this share of the planned steps, up to a maximum: nets with batch norm or adaptive
rates begin with an uneven gradient and a plateau, which most leave within the first third (ACCURACY.md)."""
NEARLY_DONE_SHARE = 0.8
"""After this share of the planned steps no late progress is expected: plateaus last for up to half of a run."""
NEARLY_DONE_STEPS = 2000
"""The same as a number of steps, if none is planned."""
FALLING_RATIO = 0.95
"""The loss is falling if the ratio of a later stretch to an earlier one is below this."""
CLEAR_ERRORS = 3.0
"""The loss is falling only if the two stretches differ by this many standard errors: the losses of small batches
scatter by a tenth."""

# -- how far a step moves the weights, as a share of their size

SMALLEST_UPDATE, LARGEST_UPDATE = metrics.HEALTHY_UPDATE_RATIO
"""A healthy update-to-weight ratio of a step (RECIPES.md)."""
STANDSTILL_UPDATE = 1e-5
"""A tenth of the smallest healthy update. If even the layer that moves most stays below it, the profile is not the
cause, since the layer next to the loss gets all of its gradient (nets with such rates: 1e-8 to 6e-6; ACCURACY.md)."""
LEAST_TOTAL_UPDATE = 1e-3
"""The sum of all steps as a share of the weights, below which nothing was learned: it is ten of the smallest healthy
steps, and no net learns in ten."""
BREAKING_UPDATE = 1.0
"""An update as large as the weights (TheDeepChecker warns at 0.1, SageMaker at 10)."""
RECENT_UPDATES = 10
"""The number of latest samples whose median is the usual update."""

# -- an exploding gradient and an unstable loss

UNSTABLE_LOSS = FAR_ABOVE_CHANCE
"""A loss is high if it is this many times the chance loss and the lowest loss before; one that begins high and stays or
falls is slow, not unstable."""
UNSTABLE_SHARE = 0.2
"""The loss is unstable if it is high in this share of the steps after the first quarter (RECIPES.md, rule 2)."""
FEWEST_UNSTABLE_STEPS = 40
"""The fewest steps of a run that is called unstable, so that its first quarter has some steps."""
UNSTABLE_END_SHARE = 0.25
"""The loss of a net that has learned must also be unstable in this last share of the steps: it must still swing."""
SMOOTHED_STEPS = 5
"""The lowest loss before is the lowest median over this many steps (or a twentieth of the run), so that one lucky batch
does not count."""
LOST_LOSS, LOST_ACCURACY = 0.15, 0.1
"""A net has lost what it had learned if its loss has risen by the first share of the loss of guessing, over a tenth of
the run, and the accuracy of its batches has fallen by the second."""
LASTING_STEPS = 50
"""The number of steps that the rise must have lasted in a live run: nets with large rates lose some of their accuracy
for 20 to 40 steps, and regain it."""
RAISED_RATE = 1.5
"""A learning rate that grows by this factor from one step to the next was raised; a warm-up grows by less after its
first steps."""
SPIKE_RATIO = 50.0
"""A gradient norm that is this many times its median is a spike (RECIPES.md, rules 3 and 7)."""
LONE_SPIKE_RATIO = 100.0
"""With even gradients and no dead units, only a spike this high is the cause of a failure: in plain nets of 57 layers,
which fail because of their depth, single norms reach 65 times the median (seeds 0 to 8, rates 0.003 to 0.01)."""
SPIKE_RISE = 5.0
"""A spike must also be this many times the first norm: a norm that falls from its start is not an explosion during
training."""
BLOWN_UP_RATIO = 1000.0
"""The largest gradient norm of a net whose gradient exploded and whose units died (RECIPES.md, rule 3), and its loss in
multiples of chance."""
GROWN_RATIO = 10.0
"""A gradient norm of this many times its first value has grown before the numbers or the loss broke; noise is less."""
FEWEST_NORMS = 20
"""The fewest norms whose course is judged in a script without a known loss."""
RUNAWAY_NORM = 1e3
"""A norm runs away if it is this many times that of the beginning for an eighth of the run. In nets that learn it
changes by two decades at most, as with a critic without a bound."""
COLLAPSED_NORM = 1e-4
"""A norm of this share of that of the beginning is almost 0."""

TERM_RISE, SMOOTH_SHARE = 100.0, 0.25
"""A term of a loss that begins near 0 may lift the sum to this many times that of the start at most; around its highest
point single losses then deviate by this share of their level at most, where they swing by more."""
TARGET_RISE = 2.0
"""An error whose targets grow has run away if its last quarter is this many times the one before: returns that add up
come to an end."""

# -- dead and saturated units

DEAD_SHARE = 0.55
"""This share of dead units, of all that can die, is a finding (RECIPES.md, rule 4)."""
MOSTLY_DEAD_LAYER = 0.5
"""A layer with this share of dead units is named (SageMaker Debugger: over half of a layer)."""
DEAD_LAYER = 0.999
"""A layer with this share of dead units is dead (RECIPES.md, rule 4); it is not 1, since fractions are float32."""
SATURATED_SHARE = 0.9
"""The share of a layer's units that must be saturated. tanh at sigma_w = 3 has 0.57 and learns with a small rate. This
is a finding only if nothing has been learned, since sigmoids beside shortcuts saturate and learn."""
FEWEST_EXAMPLES_SEEN = 128
"""The examples that must have been seen before a unit counts as dead: in a batch of one, most units are 0 even in a
healthy net. In small batches, and in those of unknown size, only a whole dead layer is a finding."""
FEWEST_EXAMPLES_SEEN_LIVE = 32
"""The fewest examples by which a live run is judged."""
AGREEING_SAMPLES = 3
"""The number of samples that must agree if the number of examples in a batch is not known."""

# -- a gradient that is exactly 0

SILENT_ROWS = 20
"""The number of steps in which a gradient must have been exactly 0 to count as cut off."""
SILENT_ROWS_AT_END = 3
"""The same number of steps in a run that is over."""
NOTHING_LEFT = 1e-7
"""Nothing is left to learn at a loss of this share of its largest value: float32 hardly represents a smaller share."""
UNDERFLOW_SHARE = 0.5
"""An underflow is a gradient that was exactly 0 in this share of the steps: large steps of other layers raise it above
fp16's smallest number at times (ACCURACY.md)."""
FP16_SMALLEST = 6e-8
"""The smallest number of fp16."""
NEAR_FP16_SMALLEST = 1e3
"""If the gradient of a layer is within this factor of fp16's smallest number, those before it fell below."""
LARGEST_LOSS_SCALE = 2.0**24
"""A number below fp16's smallest by more than this factor was lost by float32, not by fp16."""

# -- single steps that stand out

OUTLIER_RATIO = 20.0
"""A step's gradient norm stands out if it is this many times the median of its neighbours. Norms of healthy batches
vary by a few times, also in small batches."""
OUTLIER_NEIGHBOURS = 16
"""The number of rows before a step, and of rows after it, that are its neighbours."""
MOST_SPIKES, SPIKE_SHARE = 3, 0.02
"""Single steps stand out only if they are no more than this number, or this share of all steps."""

# -- what the recording of a script saw directly

NEVER_CLEARED = 0.9
"""Gradients are never cleared if this share of the steps still has those of the step before. A script that clears them
does so at every step or every few steps; the rest allows for steps around an evaluation or a restart."""
CLEARED_TOO_RARELY = 0.2
"""From this share on, uncleared gradients are information; if they occur once in five steps or less often, they may
come from the ends of epochs."""

# -- numbers that are not finite

LOSS_SCALING_ROWS, LOSS_SCALING_BROKEN = 20, 10
"""Adaptive loss scaling skips single steps by design. If it may be in use, this many of the newest rows must be broken
before gradients alone are a finding."""

# -- even gradients and bad learning

UNEQUAL_HEADS, FAR_UNEQUAL_HEADS = 3.0, 4.0
"""Decades between the gradients of a weight in two heads of one body: beyond the first the body learns for one of them,
beyond the second nothing of the other is left where the whole is clipped. An actor's and a critic's that learn well lie
up to 2.5 apart."""
CLIPPED_SHARE = 0.95
"""Clipping is no longer the exception if this share of the steps was clipped."""
CLIPPED_RATIO = 0.1
"""Clipping is a finding if the median norm after it is this share of that before."""
WORSE_ACCURACY = 0.1
"""A deeper net is degraded if its training accuracy is lower by this; it differs by 0.06 between seeds of one net of
RECIPES.md."""
WORSE_LOSS = 0.1
"""The same as a multiple of the chance loss, for tasks without accuracy."""
HALVES_TO_GO, HALVES_TO_GO_LIVE = 2.0, 4.0
"""The number of half-lengths of a run in which a falling loss must reach the chance loss, for an ended and a live run.
None is allowed beyond the end of a learning rate that decays, since there the rate is almost 0."""
FALLEN_BACK_RATIO = 1.05
"""A loss of this many times its lowest value has risen again, and is not falling any more."""
FEWEST_LOSS_STEPS = 20
"""The number of steps whose median is the present loss for that; in a long run it is a tenth of the run."""

# -- comparing two runs

DIFFERENT_ACCURACY = 0.02
"""Two runs must differ by this accuracy to be called better or worse; less may be due to the seed."""
DIFFERENT_LOSS = 0.9
"""The same as a ratio of two losses, where there is no accuracy."""
