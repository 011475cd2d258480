import Foundation

/// Standard input, output and error as a daemon, cron, a closed terminal or a pipe to `head` leave them.
public enum StandardStreams {
    /// Before anything else opens a file: a descriptor of 0 to 2 that is closed becomes /dev/null, as the next file to
    /// be opened would take its place and get what is told to people. Nor does a reader that has gone end the process:
    /// writes fail instead.
    public static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 && errno == EBADF {
            let descriptor = open("/dev/null", O_RDWR)
            guard descriptor >= 0, descriptor != number else { continue }
            dup2(descriptor, number)
            close(descriptor)
        }
    }

    /// Writes to standard error. A full disk, a closed pipe or a terminal that has gone take no line, and end no run.
    public static func tell(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written > 0 {
                bytes = bytes.dropFirst(written)
            } else if written < 0, errno == EAGAIN {
                // Another program made the pipe non-blocking; one that is not read for a second gets no more.
                var ready = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                guard poll(&ready, 1, 1000) > 0 else { return }
            } else if written == 0 || errno != EINTR {
                return
            }
        }
    }

    /// Writes to standard output at once.
    public static func show(_ text: String) {
        print(text, terminator: "")
        fflush(nil)
    }

    /// After the last output: throws where some of it was lost, other than to a reader that had enough.
    public static func finish() throws(MISPError) {
        guard fflush(nil) != 0, errno != EPIPE else { return }
        throw MISPError(
            "cannot be written: \(String(cString: strerror(errno)))", at: "standard output",
            remedy: "make room where it goes")
    }
}
