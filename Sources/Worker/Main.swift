import Core
import Foundation

@main struct Main {
    static func main() {
        StandardStreams.prepare()
        // What a launcher makes of Ctrl-C. Commands with something to save take the signal over.
        signal(SIGUSR1) { _ in _exit(130) }
        Program.announce()
        exit(Program.run(Array(CommandLine.arguments.dropFirst())))
    }
}
