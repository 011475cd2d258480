import ArgumentParser
import Coordinator
import Core

extension Precision: ExpressibleByArgument {}

extension Precision {
    /// What is worth a word before it is computed in; nil where there is nothing to say.
    package var note: String? {
        guard self == .bfloat16, !BFloat16.isFaster else { return nil }
        return "bfloat16 products are no faster than float32 ones on this processor: compute.precision: float32 takes "
            + "no longer"
    }

    /// Rank 0 says the note.
    func tell(_ communicator: any Communicator) {
        if communicator.rank == 0, let note { Console.say(note) }
    }
}
