#ifndef MISP_CMPI_H
#define MISP_CMPI_H

#if __has_include(<mpi.h>)
#include <mpi.h>
#elif __has_include(<openmpi/mpi.h>)
#include <openmpi/mpi.h>
#else
#include <mpi/mpi.h>
#endif

/* MPI's handles are casts in macros, which Swift cannot import: one function each. */
static inline MPI_Comm misp_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype misp_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype misp_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype misp_double(void) { return MPI_DOUBLE; }
static inline MPI_Op misp_sum(void) { return MPI_SUM; }
static inline MPI_Op misp_max(void) { return MPI_MAX; }
static inline MPI_Info misp_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Errhandler misp_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline void *misp_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Status *misp_status_ignore(void) { return MPI_STATUS_IGNORE; }

#endif
