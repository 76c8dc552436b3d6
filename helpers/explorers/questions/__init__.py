"""The questions of the quizzes, one module for each notebook: change, add or take away as you like.

``choose`` asks for one of several; each choice is ``right(...)`` or ``wrong(...)`` with the sentence that the learner
then reads. ``match`` brings two columns together: what stands on the left, what belongs to it, and a sentence about
that. A learner may try everything, so a wrong choice deserves the best sentence of all: it says what the choice would
be right for.
"""

from helpers.explorers.questions import (
    attention,
    embeddings,
    finetuning,
    pixels,
    positions,
    sampling,
    start_here,
    tokenization,
    training,
    transformer,
    translation,
)
from helpers.explorers.quiz import Question

QUESTIONS: dict[str, list[Question]] = {
    "00": start_here.QUESTIONS,
    "00-gpt": start_here.GPT,
    "01": tokenization.QUESTIONS,
    "02": embeddings.QUESTIONS,
    "03": positions.QUESTIONS,
    "04": attention.QUESTIONS,
    "05": transformer.QUESTIONS,
    "06": training.QUESTIONS,
    "07": sampling.QUESTIONS,
    "08": finetuning.QUESTIONS,
    "09": translation.QUESTIONS,
    "10": pixels.QUESTIONS,
}
