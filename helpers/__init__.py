"""Under the Hood: the code behind the notebooks, one idea a module.

Compute modules know nothing of pictures; ``plots`` draws plain arrays; ``explorers`` holds the
controls. Arrows say who may import whom, never back::

    compute  <-  plots  <-  explorers

==============  =====================================================================
module          one idea
==============  =====================================================================
tinytown        a grammar world whose dice are known
ngrams          next-word odds by counting
translation     English sentences and their Hindi, rolled from dice
masked          a hidden word, found from both sides
translator      the transformer of 2017: an encoder reads, a decoder writes
tokenization    text to ids and back
transformer     one GPT class, for a toy and for a real model
quantized       the same with smaller weights
anatomy         the transformer taken apart, piece by piece
lens            what a model would say after each of its layers
parameters      the numbers a network learns, counted from its sizes
hardware        what a model asks of a machine, and what the machine gives
embeddings      words as vectors
sentences       sentences as vectors
search          texts found by their words or by their vectors
wines           a wine list to search, with questions
positions       where a token stands, and how a model is told
attention       who looks at whom, and what that is worth
senses          sentences in which a word means one thing or another
paths           a word's way through the layers, and what pulls it
training        the loop that makes a model out of text
distributed     the same with more processes than one
skills          what a model in training can do already
descent         gradient descent on two numbers
scaling         what rate, data and size do to the loss
results         files of what was measured
costs           what training a real model takes
sampling        from logits to the next token
quality         how good a written text is, counted
prompting       what the words in front of a question do to the answer
finetuning      a model learns a second thing: all weights, or LoRA
voices          a real model learns to speak otherwise
sums            learned, or known by heart
preferences     which of two texts is better, and no other answer
pipeline        one text on its way through a model
pretrained      real models, fetched once, mapped into memory
limits          what a real model gets wrong, with error bars
pixels          pictures as texts: a GPT that draws digits
generators      three other ways to draw: VAE, GAN, diffusion
plots           one palette, one style
explorers       controls that move a picture
==============  =====================================================================

Axes have one vocabulary everywhere. What GPT-2's and llama's own code call them:

==============  =================  ================================  =======================
here            meaning            GPT-2                             llama
==============  =================  ================================  =======================
``batch``       texts at once      batch                             bsz
``seq``         positions          sequence (``n_positions`` long)   seqlen
``query``       looking position   rows of the weights               q_len
``key``         seen position      columns of the weights            kv_seq_len
``head``        attention head     ``n_head``                        num_attention_heads
``d_model``     residual stream    ``n_embd``                        hidden_size
``d_head``      one head's share   ``n_embd // n_head``              head_dim
``d_mlp``       feed-forward       ``n_inner``                       intermediate_size
``vocab``       tokens known       vocab_size                        vocab_size
``n_ctx``       longest text       ``n_ctx``                         max_position_embeddings
==============  =================  ================================  =======================
"""
