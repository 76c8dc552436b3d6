"""The exercises' checks: ``checks.roll(roll)`` says in one sentence what is right, or what probably went wrong.

``checking`` is the machinery. The other modules hold the exercises, one module for each notebook: the right answer,
the inputs, and the known ways to go wrong.
"""

from helpers.checks.attention import attend, causal_mask, look_back, most_previous
from helpers.checks.checking import MARKS, Exercise, OpenExercise, Verdict
from helpers.checks.embeddings import cosine, mean_pool, nearest, ppmi
from helpers.checks.finetuning import answer_targets, dpo_loss, my_voice, with_lora
from helpers.checks.pixels import add_noise, bits_per_pixel, calibration_error, quantise
from helpers.checks.positions import rotate_pair, same_bag, sinusoid_table
from helpers.checks.sampling import halve_entropy, temperature_softmax, top_p, write_sentence
from helpers.checks.start_here import bigram_odds, roll, write
from helpers.checks.tokenization import count_pairs, decode, encode, merge
from helpers.checks.training import descend, early_stop, logit_gradients, mean_surprise
from helpers.checks.transformer import block, count_parameters, logit_lens, rms_norm
from helpers.checks.translation import alignment_score, beam_step, cross_attend, fill_gap

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for exercise in (
        *(roll, bigram_odds, write),  # 00
        *(count_pairs, merge, encode, decode),  # 01
        *(cosine, nearest, mean_pool, ppmi),  # 02
        *(same_bag, rotate_pair, sinusoid_table),  # 03
        *(causal_mask, attend, most_previous, look_back),  # 04
        *(rms_norm, count_parameters, block, logit_lens),  # 05
        *(mean_surprise, logit_gradients, descend, early_stop),  # 06
        *(temperature_softmax, top_p, write_sentence, halve_entropy),  # 07
        *(answer_targets, with_lora, dpo_loss, my_voice),  # 08
        *(alignment_score, cross_attend, fill_gap, beam_step),  # 09
        *(quantise, bits_per_pixel, add_noise, calibration_error),  # 10
    )
}
"""Every exercise of the course, by the name of the function that the learner writes."""

__all__ = [*EXERCISES, "EXERCISES", "MARKS", "Exercise", "OpenExercise", "Verdict"]
