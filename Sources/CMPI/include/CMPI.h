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
static inline MPI_Datatype misp_int(void) { return MPI_INT; }
static inline MPI_Datatype misp_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype misp_double(void) { return MPI_DOUBLE; }
static inline MPI_Op misp_sum(void) { return MPI_SUM; }
static inline MPI_Op misp_max(void) { return MPI_MAX; }
static inline MPI_Info misp_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Errhandler misp_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline void *misp_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Status *misp_status_ignore(void) { return MPI_STATUS_IGNORE; }
static inline MPI_Status *misp_statuses_ignore(void) { return MPI_STATUSES_IGNORE; }
static inline MPI_Comm misp_comm_null(void) { return MPI_COMM_NULL; }
static inline MPI_Request misp_request_null(void) { return MPI_REQUEST_NULL; }
static inline MPI_Win misp_win_null(void) { return MPI_WIN_NULL; }
static inline int misp_comm_type_shared(void) { return MPI_COMM_TYPE_SHARED; }
static inline int misp_thread_funneled(void) { return MPI_THREAD_FUNNELED; }
static inline int misp_mode_nocheck(void) { return MPI_MODE_NOCHECK; }
static inline int misp_max_error_string(void) { return MPI_MAX_ERROR_STRING; }
static inline int misp_max_version_string(void) { return MPI_MAX_LIBRARY_VERSION_STRING; }

/* Cores in this process's scheduling mask, which launchers narrow to bind a rank; 0 where the system has no mask. */
int misp_affinity_cores(void);

#endif
