#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Starts a child process in `body` with no signal held back: threads of a test hold some, and a child inherits that.
func withoutHeldSignals<Result>(_ body: () throws -> Result) rethrows -> Result {
    var (none, before) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    return try body()
}
