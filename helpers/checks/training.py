"""The exercises of notebook 06: the mean surprise, the gradient of the logits, momentum, and early stopping."""

import numpy as np

from helpers.checks.checking import Exercise, Mistake, cases, read_number, read_row

# Learners take the logarithm of 0 as well; our own versions of their mistakes do it without a warning.
_quiet = np.errstate(divide="ignore", invalid="ignore", over="ignore")

# ---------------------------------------------------------------------------------------------
# Exercise 1: mean_surprise
# ---------------------------------------------------------------------------------------------

IGNORED = -100


def _given(odds, targets):
    """The odds that the targets which count got, one after the other."""
    return np.array([row[target] for row, target in zip(odds, targets, strict=True) if target != IGNORED])


def _mean_surprise(odds, targets):
    return float(-np.log(_given(odds, targets)).mean())


_LEFT_OUT = "Targets of -100 do not count: neither in the sum nor in the number that it is divided by."
_ODDS = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.25, 0.25, 0.5]])

mean_surprise = Exercise(
    "mean_surprise",
    notebook="06",
    number=1,
    minutes=5,
    difficulty="easy",
    parameters=("odds", "targets"),
    right=_mean_surprise,
    praise="Right: the mean of -ln p over the targets that count. It is the loss of every model in this course.",
    read=read_number,
    slack=1e-6,
    keeps=("odds", "targets"),
    cases=cases(
        (_ODDS[:1], [0]),
        (_ODDS[:2], [1, 0]),
        (_ODDS, [2, 1, 1, 0]),
        (_ODDS[:2], [0, IGNORED], None, _LEFT_OUT),
        (_ODDS, [IGNORED, 1, IGNORED, 2], None, _LEFT_OUT),
        (np.array([[0.0, 1.0], [0.5, 0.5]]), [1, 0], None, "What was certain and came has the surprise 0."),
    ),
    mistakes=[
        Mistake("The minus sign is missing: the logarithm of a probability is below 0, a surprise is not.",
                lambda odds, targets: np.log(_given(odds, targets)).mean()),
        Mistake("You add the surprises up; divide by how many targets count.",
                lambda odds, targets: -np.log(_given(odds, targets)).sum()),
        Mistake(_LEFT_OUT, lambda odds, targets: -np.log(_given(odds, targets)).sum() / len(targets)),
        Mistake(f"{_LEFT_OUT} In Python, `row[-100]` is no place of a row, and `row[-1]` would be its last.",
                lambda odds, targets: -np.log([row[target] for row, target in zip(odds, targets, strict=True)]).mean()),
        Mistake("You take the logarithm to base 2, which gives bits; nats have the natural one, `np.log`.",
                lambda odds, targets: -np.log2(_given(odds, targets)).mean()),
        Mistake("You take the logarithm to base 10; nats have the natural one, `np.log`.",
                lambda odds, targets: -np.log10(_given(odds, targets)).mean()),
        Mistake("You take the mean of the probabilities first, and then the logarithm; first each logarithm, then their mean.",
                lambda odds, targets: -np.log(_given(odds, targets).mean())),
        Mistake("You take one over the probability; the surprise is its logarithm with the sign turned.",
                lambda odds, targets: (1 / _given(odds, targets)).mean()),
        Mistake("That is the mean probability of the targets; take -ln of each first.",
                lambda odds, targets: _given(odds, targets).mean()),
        Mistake("That is the perplexity, e to the power of the loss; the loss itself is asked for.",
                lambda odds, targets: np.exp(-np.log(_given(odds, targets)).mean())),
        Mistake("You take the best word's probability in each row; take that of the target.",
                lambda odds, targets: -np.log(odds.max(axis=-1))[np.array(targets) != IGNORED].mean()),
        Mistake("That is the entropy of the odds, the surprise that they expect; take the surprise at the targets.",
                _quiet(lambda odds, _: -np.nansum(odds * np.log(odds)) / len(odds))),
    ],
    if_raised={
        IndexError: _LEFT_OUT,
        ZeroDivisionError: _LEFT_OUT,
        TypeError: "`odds[place]` is the row of odds at a place, and `odds[place, target]` one number of it.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 2: logit_gradients
# ---------------------------------------------------------------------------------------------


def _softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _truth(logits, answer):
    return (np.arange(len(logits)) == answer).astype(float)


def _logit_gradients(logits, answer):
    return (_softmax(logits) - _truth(logits, answer)).tolist()


logit_gradients = Exercise(
    "logit_gradients",
    notebook="06",
    number=2,
    minutes=10,
    difficulty="medium",
    parameters=("logits", "answer"),
    right=_logit_gradients,
    praise="Right: odds minus truth. All of training starts from this row of numbers; it always adds up to 0.",
    read=read_row,
    slack=1e-6,
    keeps=("logits",),
    cases=cases(
        (np.array([0.0, 0.0]), 0),
        (np.array([1.0, 2.0, 0.5]), 1),
        (np.array([0.2, 0.3, 0.4]), 2),
        (np.array([-1.0, 0.0, 3.0, 1.0]), 0),
        (np.array([900.0, 899.0]), 1, None, "Large logits overflow in `np.exp`: take the largest away from all of them first."),
    ),
    mistakes=[
        Mistake("The sign is turned: a gradient points to where the loss rises, and the loss rises with the odds of wrong words.",
                lambda logits, answer: _truth(logits, answer) - _softmax(logits)),
        Mistake("Those are the odds; take 1 away at the answer.", lambda logits, _: _softmax(logits)),
        Mistake("The softmax is missing: take 1 away from the answer's odds, not from its logit.",
                lambda logits, answer: logits - _truth(logits, answer)),
        Mistake("You take 1 away everywhere; the truth is 1 at the answer and 0 elsewhere.",
                lambda logits, _: _softmax(logits) - 1),
        Mistake("You add 1 at the answer; take it away.", lambda logits, answer: _softmax(logits) + _truth(logits, answer)),
        Mistake("Only the answer has its gradient, and the wrong words have 0; they have their odds.",
                lambda logits, answer: (_softmax(logits) - 1) * _truth(logits, answer)),
        Mistake("That is the gradient of the probability's own square error; here the loss is the surprise, and the result is shorter.",
                lambda logits, answer: 2 * (_softmax(logits) - _truth(logits, answer))),
        Mistake("Those are the surprises at each word; the gradient is odds minus truth.", lambda logits, _: -np.log(_softmax(logits))),
        Mistake("Large logits overflow in `np.exp`: take the largest away from all of them first.",
                _quiet(lambda logits, answer: np.exp(logits) / np.exp(logits).sum() - _truth(logits, answer))),
        Mistake("You count the answer from 1; ids count from 0.",
                lambda logits, answer: _softmax(logits) - _truth(logits, answer - 1)),
    ],
    if_raised={
        TypeError: "`logits` is a NumPy array: `np.exp(logits)` works on all its numbers at once.",
        IndexError: "The answer is the place of the right word among the logits, counted from 0.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 3: descend
# ---------------------------------------------------------------------------------------------


class Slope:
    """A gradient that is handed to the learner's function: it shows itself as a line that can be copied and run.

    >>> Slope("lambda x: 2 * x"), Slope("lambda x: 2 * x")(3.0)
    (lambda x: 2 * x, 6.0)
    """

    def __init__(self, source: str):
        self.source = source
        self.function = eval(source)  # our own lines below, never the learner's

    def __call__(self, x):
        return self.function(x)

    def __repr__(self) -> str:
        return self.source


def _descend(gradient, x, learning_rate, momentum, steps):
    velocity = 0.0
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
    return x


def _descend_by(move):
    """A `descend` that steps in another way: `move(x, velocity, gradient, rate, momentum)` gives both anew."""

    def descend(gradient, x, learning_rate, momentum, steps):
        velocity = 0.0
        for _ in range(steps):
            x, velocity = move(x, velocity, gradient, learning_rate, momentum)
        return x

    return _quiet(descend)


def _old_velocity(x, v, gradient, rate, momentum):
    return x - rate * v, momentum * v + gradient(x)


def _averaged(x, v, gradient, rate, momentum):
    v = momentum * v + (1 - momentum) * gradient(x)
    return x - rate * v, v


def _up(x, v, gradient, rate, momentum):
    v = momentum * v + gradient(x)
    return x + rate * v, v


def _minus_momentum(x, v, gradient, rate, momentum):
    v = gradient(x) - momentum * v
    return x - rate * v, v


def _ahead(x, v, gradient, rate, momentum):
    v = momentum * v + gradient(x - rate * momentum * v)
    return x - rate * v, v


def _no_rate(x, v, gradient, rate, momentum):
    v = momentum * v + gradient(x)
    return x - v, v


def _same_slope(gradient, x, learning_rate, momentum, steps):
    return _descend(lambda _: gradient(x), x, learning_rate, momentum, steps)


_PARABOLA, _STEEP, _FLAT = Slope("lambda x: x"), Slope("lambda x: 4 * x - 8"), Slope("lambda x: 1")
_LAST = "With momentum 0.5, half of the last velocity is in the new one."

descend = Exercise(
    "descend",
    notebook="06",
    number=3,
    minutes=10,
    difficulty="medium",
    parameters=("gradient", "x", "learning_rate", "momentum", "steps"),
    right=_descend,
    praise="Right: with momentum 0 that is plain gradient descent, and with 0.9 the ball rolls on through small dents.",
    read=read_number,
    slack=1e-6,
    cases=cases(
        (_PARABOLA, 8.0, 0.5, 0.0, 1),
        (_PARABOLA, 8.0, 0.5, 0.0, 3),
        (_STEEP, 3.0, 0.1, 0.0, 2),
        (_PARABOLA, 8.0, 0.5, 0.0, 0, None, "After 0 steps x is where it was."),
        (_FLAT, 0.0, 1.0, 0.5, 2, None, _LAST),
        (_STEEP, -1.0, 0.05, 0.9, 5, None, _LAST),
        (_PARABOLA, 1.0, 2.5, 0.0, 4, None, "Too large a learning rate must run away, as it does in the explorer."),
    ),
    mistakes=[
        Mistake("You step up the slope: the gradient points to where the loss rises, so take the step away.", _descend_by(_up)),
        Mistake("The momentum is missing: the new velocity is momentum times the old one, plus the gradient.",
                lambda gradient, x, rate, _, steps: _descend(gradient, x, rate, 0.0, steps)),
        Mistake("You step with the old velocity; first work out the new one, then step.", _descend_by(_old_velocity)),
        Mistake("You multiply the gradient by 1 - momentum. Some do that; here it is added as it is.", _descend_by(_averaged)),
        Mistake("You take the old velocity away; add momentum times it.", _descend_by(_minus_momentum)),
        Mistake("You take the gradient at the place ahead (Nesterov's way, which works as well); take it where x is.", _descend_by(_ahead)),
        Mistake("The learning rate is missing: x moves by the learning rate times the velocity.", _descend_by(_no_rate)),
        Mistake("You ask for the gradient once, at the start; ask again at each new place.", _same_slope),
        Mistake("You make one step too many: `range(steps)` has as many as are asked for.",
                lambda gradient, x, rate, momentum, steps: _descend(gradient, x, rate, momentum, steps + 1)),
        Mistake("You make a single step; make `steps` of them.",
                lambda gradient, x, rate, momentum, steps: _descend(gradient, x, rate, momentum, min(steps, 1))),
    ],
    if_raised={
        TypeError: "`gradient` is a function: `gradient(x)` is the slope at x.",
        NameError: "The velocity is 0 before the first step.",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Exercise 4: early_stop
# ---------------------------------------------------------------------------------------------


def _early_stop(losses, patience):
    best = 0
    for place, loss in enumerate(losses):
        if loss < losses[best]:
            best = place
        elif place - best >= patience:
            break
    return best


def _stopped_at(losses, patience):
    best = 0
    for place, loss in enumerate(losses):
        if loss < losses[best]:
            best = place
        elif place - best >= patience:
            return place
    return len(losses) - 1


def _rises_in_a_row(losses, patience):
    best, rises = 0, 0
    for place in range(1, len(losses)):
        rises = rises + 1 if losses[place] >= losses[place - 1] else 0
        if losses[place] < losses[best]:
            best = place
        if rises >= patience:
            break
    return best


def _not_reset(losses, patience):
    best, waited = 0, 0
    for place in range(1, len(losses)):
        if losses[place] < losses[best]:
            best = place
        else:
            waited += 1
        if waited >= patience:
            break
    return best


def _ties_count(losses, patience):
    best = 0
    for place, loss in enumerate(losses):
        if loss <= losses[best]:
            best = place
        elif place - best >= patience:
            break
    return best


def _first_rise(losses, _):
    return next(
        (place - 1 for place in range(1, len(losses)) if losses[place] >= losses[place - 1]), len(losses) - 1
    )


_RESET = "The counting begins anew at each new best."
_TIE = "As low as the best so far is no better: patience runs on."

early_stop = Exercise(
    "early_stop",
    notebook="06",
    number=4,
    minutes=15,
    difficulty="harder",
    parameters=("losses", "patience"),
    right=_early_stop,
    praise="Right: the model is kept that was best when patience ran out. What would have come later, nobody knows.",
    read=read_number,
    keeps=("losses",),
    cases=cases(
        ([3.0, 2.0, 1.0], 2, None, "While it gets better, training goes on."),
        ([3.0, 2.0, 2.5, 2.6, 2.7], 2),
        ([3.0, 2.0, 2.5, 2.4, 1.0], 2, None, "Patience 2 has run out before the last loss comes: nobody saw it."),
        ([3.0, 2.0, 2.5, 2.4, 1.0], 3),
        ([5.0, 5.5, 4.0, 4.5, 3.0, 3.5, 2.0], 2, None, _RESET),
        ([2.0, 2.0, 2.0, 1.0], 2, None, _TIE),
        ([1.0], 3),
        ([1.0, 0.9, 1.2, 1.1, 1.15, 0.5], 3, None, "Losses that fall, but stay above the best, do not count as better."),
        ([4.0, 5.0, 3.0], 1),
        ([3.0, 2.0, 2.5, 2.6, 2.7, 1.0], 2),
        ([3.0, 3.5, 2.0, 2.5, 2.4, 1.0], 3),
    ),
    mistakes=[
        Mistake("You return where training stops; keep the best model before that.", _stopped_at),
        Mistake("You return the lowest loss of all; when patience runs out, what comes later is never seen.",
                lambda losses, _: int(np.argmin(losses))),
        Mistake("You return the loss; return its place in the list, counted from 0.",
                lambda losses, patience: losses[_early_stop(losses, patience)]),
        Mistake("You compare with the loss before; compare with the best so far.", _rises_in_a_row),
        Mistake(_RESET, _not_reset),
        Mistake(_TIE, _ties_count),
        Mistake("You stop at the first loss that is no lower; wait for `patience` of them in a row.", _first_rise),
        Mistake("You stop one loss too late: `patience` losses in a row that are no better are enough.",
                lambda losses, patience: _early_stop(losses, patience + 1)),
        Mistake("You stop one loss too early: `patience` losses in a row that are no better are needed.",
                lambda losses, patience: _early_stop(losses, patience - 1)),
        Mistake("You count from 1; places count from 0.", lambda losses, patience: _early_stop(losses, patience) + 1),
        Mistake("That is always the last one; keep the best.", lambda losses, _: len(losses) - 1),
    ],
    if_raised={IndexError: "The last place of a list is `len(losses) - 1`."},
)  # fmt: skip
