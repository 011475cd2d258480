#ifndef MISP_CPROCESSOR_H
#define MISP_CPROCESSOR_H

/* The first instruction set that this build uses and this processor (or its system) lacks; NULL when none. Before
   main, a program with this target in it ends with that in words and exit status 2: Swift code, error handling
   included, is compiled for x86-64-v3 too and would die of an illegal instruction. */
const char *misp_missing_instructions(void);

#endif
