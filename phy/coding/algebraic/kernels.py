"""Encoding and bounded-distance decoding of Reed-Solomon codes, and of BCH codes within them, compiled.

Words are symbols of GF(2^m), highest power first: place i of n is the coefficient of x^(n - 1 - i). The code
has the roots a^1 to a^2t. A shortened word lacks leading symbols, which are zero.
"""

from __future__ import annotations

from phy.compiling import compiled, inlined

__all__ = ["correct", "divide"]


@inlined
def _times(a, b, exp, log):
    """Multiply two elements."""
    return exp[log[a] + log[b]] if a and b else 0


@compiled
def divide(words, generator, exp, log, parity):
    """Remainders of x^(degree) times each word by the generator.

    Parameters
    ----------
    words:
        Information symbols, ``[frames, k]``, ``int32``.
    generator:
        Its coefficients from the highest, which is 1, ``[degree + 1]``, ``int32``.
    exp, log:
        Of `phy.coding.algebraic.field.Field`.
    parity:
        ``[frames, degree]``, ``int32``, filled.
    """
    degree = generator.size - 1
    for frame in range(words.shape[0]):
        register = parity[frame]
        register[:] = 0
        for symbol in words[frame]:
            feedback = symbol ^ register[0]
            for i in range(degree - 1):
                register[i] = register[i + 1]
            register[degree - 1] = 0
            if feedback:
                for i in range(degree):
                    register[i] ^= _times(feedback, generator[i + 1], exp, log)


@compiled
def _syndromes(word, order, exp, log, syndromes):
    """Values at a^1 to a^2t; returns whether one is not zero."""
    syndromes[:] = 0
    for i in range(word.size):
        if word[i]:
            step = (word.size - 1 - i) % order
            power = log[word[i]]
            for j in range(syndromes.size):
                power += step
                if power >= order:
                    power -= order
                syndromes[j] ^= exp[power]
    return syndromes.any()


@compiled
def _locate(syndromes, order, exp, log, locator, before, scratch):
    """Berlekamp and Massey: the shortest register that makes the syndromes; returns its length."""
    locator[:] = 0
    before[:] = 0
    locator[0] = before[0] = 1
    length, shift, last = 0, 1, 1
    for n in range(syndromes.size):
        discrepancy = syndromes[n]
        for i in range(1, length + 1):
            discrepancy ^= _times(locator[i], syndromes[n - i], exp, log)
        if discrepancy == 0:
            shift += 1
            continue
        longer = 2 * length <= n
        if longer:
            scratch[:] = locator
        factor = exp[log[discrepancy] + order - log[last]]
        for i in range(shift, locator.size):
            locator[i] ^= _times(factor, before[i - shift], exp, log)
        if longer:
            before[:] = scratch
            length, last, shift = n + 1 - length, discrepancy, 1
        else:
            shift += 1
    return length


@inlined
def _value(polynomial, size, power, order, exp, log):
    """Value of the first ``size`` coefficients, lowest first, at a^power."""
    value = 0
    at = 0
    for i in range(size):
        if polynomial[i]:
            value ^= exp[log[polynomial[i]] + at]
        at += power
        if at >= order:
            at -= order
    return value


@compiled
def correct(words, t, order, exp, log, locator, before, scratch, syndromes, places, right):
    """Correct up to ``t`` symbols of each word in place; words with more errors stay as they are.

    With the locator L(x) of Berlekamp and Massey, errors are where L(a^-p) = 0 (Chien), and have the values
    O(a^-p) / L'(a^-p) with O(x) = S(x) L(x) mod x^2t (Forney).

    Parameters
    ----------
    words:
        ``[frames, n]``, ``int32``.
    t, order, exp, log:
        Errors to correct, and the field.
    locator, before, scratch, syndromes, places:
        Memory: ``[2 t + 1]`` three times, ``[2 t]`` and ``[t]``, ``int32``.
    right:
        Whether a code word was found within distance t, ``[frames]``, ``bool``, filled.
    """
    size = words.shape[1]
    for frame in range(words.shape[0]):
        word = words[frame]
        right[frame] = True
        if not _syndromes(word, order, exp, log, syndromes):
            continue
        errors = _locate(syndromes, order, exp, log, locator, before, scratch)
        found = 0
        if errors <= t and locator[errors]:
            for i in range(size):
                if found < errors:
                    power = (order - (size - 1 - i) % order) % order
                    if _value(locator, errors + 1, power, order, exp, log) == 0:
                        places[found] = i
                        found += 1
        if found == 0 or found < errors:
            right[frame] = False
            continue
        for i in range(errors):  # O(x), whose degree is below the number of errors
            scratch[i] = 0
            for j in range(i + 1):
                scratch[i] ^= _times(locator[j], syndromes[i - j], exp, log)
        for i in range(1, errors + 1):  # L'(x): of odd powers only
            before[i - 1] = locator[i] if i % 2 else 0
        for e in range(errors):
            i = places[e]
            power = (order - (size - 1 - i) % order) % order
            above = _value(scratch, errors, power, order, exp, log)
            below = _value(before, errors, power, order, exp, log)
            word[i] ^= exp[log[above] + order - log[below]]
