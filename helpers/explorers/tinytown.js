// What Tinytown's explorers work out in the browser. Functions have the names of their Python twins in
// helpers/tinytown.py, ngrams.py, transformer.py and sampling.py; a test gives both the same input.

export const START = "<start>", END = "<end>", UNKNOWN = "<unk>";

// ---------------------------------------------------------------------------------------------
// Words. Python's \w and its white space, which differ a little from JavaScript's.

const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const WORD = "\\p{L}\\p{N}_";
const TOKEN = new RegExp(`<\\|?[${WORD}]+\\|?>|[${WORD}]+|[^${WORD}${SPACE}]`, "gu");

// The text cut into words and punctuation; words that the vocabulary lacks come back in `unknown`.
export function tokens(text, ids) {
  const words = text.toLowerCase().match(TOKEN) ?? [];
  return { words, unknown: words.filter((word) => !ids.has(word)) };
}

// The sum of the lengths of the matching blocks of two lists of characters: difflib's "gestalt" way.
function matches(a, b) {
  if (!a.length || !b.length) return 0;
  let length = 0, from = 0, at = 0;
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) {
      let k = 0;
      while (i + k < a.length && j + k < b.length && a[i + k] === b[j + k]) k++;
      if (k > length) [length, from, at] = [k, i, j];
    }
  if (!length) return 0;
  return (
    length +
    matches(a.slice(0, from), b.slice(0, at)) +
    matches(a.slice(from + length), b.slice(at + length))
  );
}

// The words of the vocabulary that look most like `word`: difflib's function of this name.
export function get_close_matches(word, possibilities, n = 3, cutoff = 0.6) {
  const b = [...word];
  const scored = [];
  for (const possible of possibilities) {
    const a = [...possible];
    // Even if every character matched, the share would be too small: nothing long is compared.
    if ((2 * Math.min(a.length, b.length)) / (a.length + b.length) < cutoff) continue;
    const ratio = (2 * matches(a, b)) / (a.length + b.length);
    if (ratio >= cutoff) scored.push([ratio, possible]);
  }
  scored.sort((x, y) => y[0] - x[0] || (x[1] < y[1] ? 1 : -1));
  return scored.slice(0, n).map(([, possible]) => possible);
}

// A word in quotation marks, with what can't be printed spelled out, and no longer than a sentence can bear.
export function quoted(word, limit = 40) {
  const signs = [...word];
  const shown = signs.slice(0, limit).map((sign) => {
    const code = sign.codePointAt(0);
    const hidden = /^[\p{C}\p{Zl}\p{Zp}]$/u.test(sign);
    return hidden ? "\\u" + (code > 0xffff ? `{${code.toString(16)}}` : code.toString(16).padStart(4, "0")) : sign;
  });
  return `'${shown.join("")}${signs.length > limit ? "…" : ""}'`;
}

// The end of a long text, with dots for what came before: `shortened` of dice.py.
export function ending(text, most = 60) {
  if (text.length <= most) return text;
  const end = text.slice(-most);
  return "… " + end.slice(end.indexOf(" ") + 1);
}

// The sentence about the first word that Tinytown lacks.
export function about_unknown(word, vocabulary) {
  const near = get_close_matches([...word].slice(0, 40).join(""), vocabulary);
  const hint = near.length ? `near it: ${near.join(", ")}` : "the bars show words that it knows";
  return `every word must be one of Tinytown's ${vocabulary.length}, got ${quoted(word)}; ${hint}`;
}

// ---------------------------------------------------------------------------------------------
// The world: dice, and words that are worked out from remembered faces (sent as tables).

const PIECE = /\[([^\]]+)\]|\{([^}]+)\}|(\S+)/g;
const ROLL = /^(.+?)(?: as (\w+))?(?: not (\w+))?$/;
const parsed = new Map();

export function parse(text) {
  if (!parsed.has(text)) {
    const symbols = [];
    for (const [, roll, recall, word] of text.matchAll(PIECE)) {
      if (roll) {
        const [, value, remember = "", unlike = ""] = roll.match(ROLL);
        symbols.push({ kind: "roll", value, remember, unlike });
      } else symbols.push(recall ? { kind: "recall", value: recall } : { kind: "word", value: word });
    }
    parsed.set(text, symbols);
  }
  return parsed.get(text);
}

export class World {
  constructor({ dice, worked_out, start }) {
    // Lists of pairs, not objects: the order of the faces is part of the world.
    this.dice = new Map(dice.map(([name, faces]) => [name, faces]));
    this.worked_out = new Map(Object.entries(worked_out));
    this.start = [{ kind: "roll", value: start, remember: "", unlike: "" }];
  }

  recall(name, seen) {
    const rule = this.worked_out.get(name);
    return rule ? rule.words[rule.from.map((given) => seen[given]).join(" ")] : seen[name];
  }

  faces(roll, seen) {
    let sides = this.dice.get(roll.value);
    if (roll.unlike) sides = sides.filter(([face]) => face !== seen[roll.unlike]);
    const total = sides.reduce((sum, [, count]) => sum + count, 0);
    return sides.map(([face, count]) => [face, count / total]);
  }

  // Every word that can come next on a path, each with the path that it leads to.
  _next(path, found) {
    if (!path.pending.length) return found.push([END, path]);
    const [symbol, ...rest] = path.pending;
    if (symbol.kind === "word") found.push([symbol.value, { ...path, pending: rest }]);
    else if (symbol.kind === "recall") found.push([this.recall(symbol.value, path.seen), { ...path, pending: rest }]);
    else
      for (const [face, probability] of this.faces(symbol, path.seen)) {
        const seen = symbol.remember ? { ...path.seen, [symbol.remember]: face } : path.seen;
        this._next({ probability: path.probability * probability, pending: [...parse(face), ...rest], seen }, found);
      }
  }

  // The exact odds of the next word as a Map, most probable first. Throws where no story begins so.
  next_word_distribution(words) {
    let paths = [{ probability: 1, pending: this.start, seen: {} }];
    for (let position = 0; ; position++) {
      const options = [];
      for (const path of paths) this._next(path, options);
      const total = options.reduce((sum, [, path]) => sum + path.probability, 0);
      const odds = new Map();
      for (const [word, path] of options) odds.set(word, (odds.get(word) ?? 0) + path.probability / total);
      const sorted = new Map([...odds].sort((a, b) => b[1] - a[1]));
      if (position === words.length) return sorted;
      const agree = options.filter(([word]) => word === words[position]).map(([, path]) => path);
      if (!agree.length) {
        const before = words.slice(0, position).join(" ").slice(-60) || "the start";
        const allowed = [...odds.keys()].slice(0, 8).join(", ");
        throw new RangeError(
          `no story goes on with '${words[position].slice(0, 40)}' after '${before}'; there the dice allow: ${allowed}`,
        );
      }
      const reached = agree.reduce((sum, path) => sum + path.probability, 0);
      paths = agree.map((path) => ({ ...path, probability: path.probability / reached }));
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Counting: the corpus is one row of ids, each text ended by <end>. One walk over it answers any context.

export class NGram {
  constructor(corpus, vocabulary, ids) {
    Object.assign(this, { corpus, vocabulary, end: ids.get(END) });
    this.ids = ids;
  }

  // The last `order - 1` words of a beginning; before its first word stands <start>.
  context(prefix, order) {
    const back = order - 1;
    return [...Array(back).fill(START), ...prefix].slice(prefix.length);
  }

  // What followed the context, most frequent first; an empty Map if it was never seen.
  counts(prefix, order) {
    const context = this.context(prefix, order).map((word) => (word === START ? -1 : this.ids.get(word)));
    const { corpus, end } = this;
    const back = order - 1;
    const found = new Map();
    let begin = 0; // of the text that we are in
    for (let i = 0; i < corpus.length; i++) {
      let fits = true;
      for (let k = 0; k < back && fits; k++) {
        const at = i - back + k;
        fits = (at < begin ? -1 : corpus[at]) === context[k];
      }
      if (fits) found.set(corpus[i], (found.get(corpus[i]) ?? 0) + 1);
      if (corpus[i] === end) begin = i + 1;
    }
    return new Map([...found].sort((a, b) => b[1] - a[1]).map(([id, count]) => [this.vocabulary[id], count]));
  }

  distribution(prefix, order) {
    const counts = this.counts(prefix, order);
    let total = 0;
    for (const count of counts.values()) total += count;
    return new Map([...counts].map(([word, count]) => [word, count / total]));
  }
}

// ---------------------------------------------------------------------------------------------
// The GPT: LayerNorm, learned positions, GELU, one table for both ends. Sums in 64 bits.

// y = W x + b, for W stored row by row
function linear(W, x, b = null) {
  const columns = x.length, rows = W.length / columns;
  const y = new Float64Array(rows);
  for (let r = 0, w = 0; r < rows; r++) {
    let sum = b ? b[r] : 0;
    for (let c = 0; c < columns; c++) sum += W[w++] * x[c];
    y[r] = sum;
  }
  return y;
}

export function layer_norm(x, weight, bias, eps) {
  let mean = 0, variance = 0;
  for (const value of x) mean += value;
  mean /= x.length;
  for (const value of x) variance += (value - mean) ** 2;
  const scale = 1 / Math.sqrt(variance / x.length + eps);
  return x.map((value, i) => (value - mean) * scale * weight[i] + (bias ? bias[i] : 0));
}

const gelu = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

export class GPT {
  // `sizes` names the weights in the order in which they follow each other: [name, how many numbers].
  constructor(config, sizes, weights) {
    this.config = config;
    this.weights = {};
    let at = 0;
    for (const [name, size] of sizes) this.weights[name] = weights.subarray(at, (at += size));
    this.reader();
  }

  // Forgets what was read.
  reader() {
    this.ids = [];
    this.keys = Array.from({ length: this.config.n_layers }, () => []);
    this.values = Array.from({ length: this.config.n_layers }, () => []);
    return this;
  }

  // The logits of the token after `ids`; what it has read before, it remembers. Throws for too long a text.
  read(ids) {
    const { n_ctx, n_layers, n_heads, d_model, norm_eps } = this.config;
    if (ids.length > n_ctx)
      throw new RangeError(
        `a text must have at most ${n_ctx} tokens for this model, got ${ids.length}; keep the last ${n_ctx}`,
      );
    let known = 0;
    while (known < Math.min(this.ids.length, ids.length - 1) && this.ids[known] === ids[known]) known++;
    const W = this.weights, d_head = d_model / n_heads, root = Math.sqrt(d_head);
    const norm = (x, name) => layer_norm(x, W[`${name}.weight`], W[`${name}.bias`], norm_eps);
    const apply = (x, name) => linear(W[`${name}.weight`], x, W[`${name}.bias`]);
    let x = null;
    for (let position = known; position < ids.length; position++) {
      x = new Float64Array(d_model);
      for (let i = 0; i < d_model; i++)
        x[i] = W["embedding.weight"][ids[position] * d_model + i] + W["position_embedding.weight"][position * d_model + i];
      for (let layer = 0; layer < n_layers; layer++) {
        const block = `blocks.${layer}`;
        const read = norm(x, `${block}.attention_norm`);
        const query = apply(read, `${block}.attention.query`);
        const keys = this.keys[layer], values = this.values[layer];
        keys[position] = apply(read, `${block}.attention.key`);
        values[position] = apply(read, `${block}.attention.value`);
        const mixed = new Float64Array(d_model);
        for (let head = 0; head < n_heads; head++) {
          const from = head * d_head, scores = new Float64Array(position + 1);
          for (let key = 0; key <= position; key++) {
            let dot = 0;
            for (let i = from; i < from + d_head; i++) dot += query[i] * keys[key][i];
            scores[key] = dot / root;
          }
          const weights = temperature_softmax(scores);
          for (let key = 0; key <= position; key++)
            for (let i = from; i < from + d_head; i++) mixed[i] += weights[key] * values[key][i];
        }
        const found = apply(mixed, `${block}.attention.output`);
        for (let i = 0; i < d_model; i++) x[i] += found[i];
        const thought = apply(apply(norm(x, `${block}.mlp_norm`), `${block}.mlp.up`).map(gelu), `${block}.mlp.down`);
        for (let i = 0; i < d_model; i++) x[i] += thought[i];
      }
    }
    this.ids = [...ids];
    return linear(W["embedding.weight"], norm(x, "final_norm"));
  }
}

// ---------------------------------------------------------------------------------------------
// From logits to a roll.

// 0 is greedy (ties share), infinity is uniform over every finite logit.
export function temperature_softmax(logits, temperature = 1) {
  let best = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i] > best) best = logits[i];
  const p = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const below = logits[i] - best;
    p[i] = temperature === 0 ? +(below === 0) : below === -Infinity ? 0 : Math.exp(below / temperature);
    sum += p[i];
  }
  for (let i = 0; i < p.length; i++) p[i] /= sum;
  return p;
}

// In nats.
export function entropy(probabilities) {
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) if (probabilities[i] > 0) sum -= probabilities[i] * Math.log(probabilities[i]);
  return sum;
}

// The index on which a point from 0 up to 1 falls: `roll` of helpers.sampling after its generator has spoken.
export function roll(probabilities, point) {
  let total = 0, last = 0;
  for (let i = 0; i < probabilities.length; i++) if (probabilities[i] > 0) (total += probabilities[i]), (last = i);
  let edge = 0;
  for (let i = 0; i < probabilities.length; i++) {
    edge += probabilities[i];
    if (probabilities[i] > 0 && edge > point * total) return i;
  }
  return last; // only rounding gets here
}

// The `number`-th point from 0 up to 1 of a seed: any one can be asked for, so that "undo" and "roll" give the
// same again. (splitmix32: a counter, well stirred. NumPy's generator is another: its seeds roll other words.)
export function random(seed, number) {
  const stir = (z) => {
    z = (z + 0x9e3779b9) | 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  return (stir(stir(seed) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0) / 2 ** 32;
}

// The indices of the n largest, largest first; of those that tie, the lower index first.
export function largest(values, n) {
  const top = [];
  for (let i = 0; i < values.length; i++) {
    if (top.length === n && !(values[i] > values[top[n - 1]])) continue;
    let at = top.length;
    while (at > 0 && values[i] > values[top[at - 1]]) at--;
    top.splice(at, 0, i);
    if (top.length > n) top.pop();
  }
  return top;
}

// ---------------------------------------------------------------------------------------------
// All three together: Dice.odds and top_words of dice.py.

export class Tinytown {
  constructor({ world, vocabulary, corpus, config, sizes, weights }) {
    this.vocabulary = vocabulary;
    this.ids = new Map(vocabulary.map((word, id) => [word, id]));
    this.world = new World(world);
    this.ngram = new NGram(corpus, vocabulary, this.ids);
    this.gpt = new GPT(config, sizes, weights);
  }

  // The odds of each series as a Map, or null where it has nothing to say; `why` says what keeps it.
  odds(words, order) {
    const odds = { counted: null, true: null, GPT: null }, why = {};
    let seen = 0;
    if (words.includes(END)) return { odds, why, seen, ended: true };
    for (const count of this.ngram.counts(words, order).values()) seen += count;
    if (seen) odds.counted = this.ngram.distribution(words, order);
    try {
      odds.true = this.world.next_word_distribution(words);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      why.true = error.message;
    }
    try {
      const logits = this.gpt.read([START, ...words].map((word) => this.ids.get(word)));
      odds.GPT = new Map(Array.from(temperature_softmax(logits), (p, id) => [this.vocabulary[id], p]));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      why.GPT = error.message;
    }
    return { odds, why, seen, ended: false };
  }
}

// The words that any of the series thinks most likely, best first.
export function top_words(odds, most) {
  const best = new Map();
  for (const series of odds) for (const [word, p] of series ?? []) best.set(word, Math.max(p, best.get(word) ?? 0));
  return [...best].sort((a, b) => b[1] - a[1]).slice(0, most).map(([word]) => word);
}
