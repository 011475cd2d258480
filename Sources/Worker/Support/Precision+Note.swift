import ArgumentParser
import Coordinator
import Core

extension Precision: ExpressibleByArgument {}

extension Precision {
    /// What is worth a word before it is computed in; nil where there is nothing to say.
    package var note: String? {
        guard self == .bfloat16, !BFloat16.isNative else { return nil }
        return "this processor has no bfloat16 products: compute.precision: bfloat16 is slower than float32 would be"
    }

    /// Rank 0 says the note.
    func tell(_ communicator: any Communicator) {
        if communicator.rank == 0, let note { Console.say(note) }
    }
}
