"""Sentences in which one word means two things: ``bank`` of a river or with money, ``apple`` fruit or company.

A model that reads from left to right knows, at the word itself, only what stood before it. So each sense has
two lists: sentences whose clue stands before the word, and sentences whose clue comes after it. The latter are
twins: the first of one sense begins like the first of the other, up to the word, and so on. The word occurs
once in every sentence. What a model makes of them is measured by ``helpers.attention``.

What this leaves out: words with more than two senses, and sentences that stay open even for a person.

Source: written for this course.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sense:
    """One meaning of a word, and sentences that have it."""

    word: str  # as it is written in the sentences, capitals aside
    meaning: str  # how a picture labels it
    clue_before: tuple[str, ...]  # sentences that tell the meaning before they reach the word
    clue_after: tuple[str, ...]  # sentences that tell it only behind the word, twins of the other sense's

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences, those with the clue in front first."""
        return self.clue_before + self.clue_after


RIVER_BANK = Sense(
    "bank",
    "river",
    clue_before=(
        "The River Bank",
        "The Muddy Bank",
        "We tied the boat to a tree on the bank",
        "The river rose in the night and covered the bank",
        "After a long swim the dog climbed up the bank",
        "A heron was fishing from the bank",
        "Reeds and yellow flowers grew along the bank",
        "The fisherman pulled his net onto the bank",
        "The canoe drifted slowly towards the other bank",
        "Two frogs jumped from the water to the bank",
    ),
    clue_after=(
        "The bank was muddy after the flood",
        "This bank is where the ducks build their nests",
        "From the bank she threw pebbles into the stream",
        "The bank of the stream was covered in moss",
        "At the other bank a deer came down to drink",
    ),
)

MONEY_BANK = Sense(
    "bank",
    "money",
    clue_before=(
        "The SBI Bank",
        "ICICI Bank",
        "She asked for a loan at the bank",
        "He put his savings into an account at the bank",
        "My salary is paid straight into the bank",
        "To buy the house they borrowed from the bank",
        "The cashier counted the notes and closed the bank",
        "Interest rates were raised again by the central bank",
        "The robbers took all the cash from the bank",
        "I lost my credit card and telephoned the bank",
    ),
    clue_after=(
        "The bank was accused of charging hidden fees",
        "This bank is where my parents keep their savings",
        "From the bank she received a new credit card",
        "The bank of my choice pays two per cent interest",
        "At the other bank a clerk opened our account",
    ),
)

APPLE_FRUIT = Sense(
    "apple",
    "fruit",
    clue_before=(
        "He picked a ripe red apple",
        "For breakfast she ate yoghurt and a sliced apple",
        "The pie was filled with cinnamon and apple",
        "Under the tree in the orchard lay one apple",
        "The horse took a carrot and then the apple",
        "She peeled a pear, a banana and an apple",
        "A worm was eating its way through the apple",
        "The juice was pressed from pear and apple",
        "He bit into a sweet and juicy apple",
        "In the fruit bowl there was only one apple",
    ),
    clue_after=(
        "Please buy an apple and an orange",
        "An apple fell from the branch into the grass",
        "The apple was sour and full of seeds",
        "apple and pear trees grew behind the barn",
        "This apple tastes best when it is baked",
    ),
)

APPLE_COMPANY = Sense(
    "apple",
    "company",
    clue_before=(
        "The makers of phones are samsung and apple",
        "She writes software for the iphone at apple",
        "The shares of google, microsoft and apple",
        "He sold his technology stocks, all but apple",
        "The court fined the phone maker apple",
        "The new laptop was designed in california by apple",
        "Steve Jobs came back to lead apple",
        "The app store is run by apple",
        "The engineers left microsoft and went to apple",
        "The chief executive spoke about profits at apple",
    ),
    clue_after=(
        "Please buy an apple laptop for the office",
        "An apple engineer wrote this piece of software",
        "The apple share price fell after the results",
        "apple unveiled the new phone",
        "This apple update makes the older phones slower",
    ),
)

SENSES = (RIVER_BANK, MONEY_BANK, APPLE_FRUIT, APPLE_COMPANY)
