#ifndef MISP_WORDS_H
#define MISP_WORDS_H

/* Inputs of bfloat16 products, rounded to nearest, ties to even, and laid in words as a kernel takes them.

   A word of the bfloat16 kernel holds two numbers that follow each other along the inner index, the first one below.
   For a float32 kernel two words hold them, the second one first: that is the order in which the bfloat16 kernel adds
   their products up, so that both give the same bits. An odd inner index ends with a zero. Numbers under 2^-126
   become 0. */
typedef enum { MISP_WORDS_OF_TWO, MISP_WORDS_OF_ONE } misp_words;

/* Of `rows` rows of `columns` numbers, the inner index going along each. x: float32 where `wide`, else bfloat16; x_row
   numbers, out_row words from row to row. */
void misp_words_along(
    misp_words words, long rows, long columns, const void *x, int wide, long x_row, float *out, long out_row);

/* The same with the inner index going from row to row: a row of words for each two of x, or two rows of words. */
void misp_words_across(
    misp_words words, long rows, long columns, const void *x, int wide, long x_row, float *out, long out_row);

#endif
