#ifndef MISP_CPROCESSOR_H
#define MISP_CPROCESSOR_H

/* The first instruction set that this build uses and this processor (or its system) lacks; NULL when none. */
const char *misp_missing_instructions(void);

#endif
