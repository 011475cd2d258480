/// One of the trainings that the demonstration compares. Each differs from the one before it in one thing.
package struct DemoArm: Sendable, Equatable {
    /// Where negatives come from.
    package enum Negatives: String, Sendable { case random, mined }

    /// As the table has it.
    package let name: String
    /// Of its folder and its configuration.
    package let key: String
    /// nil: two answers to one picture are all it has.
    package let negatives: Negatives?
    package let sampling: String
    /// What it adds to the arm before it.
    package let adds: String

    /// K, the negatives drawn of a pool.
    package static let drawn = 3
    /// M, the negatives of a group.
    package static let pool = 16

    package static let all = [
        DemoArm(
            name: "DPO", key: "dpo", negatives: nil, sampling: "subset",
            adds: "two answers to one picture, the true one and a false one"),
        DemoArm(
            name: "random", key: "random", negatives: .random, sampling: "uniform",
            adds: "the true answer to one picture and to \(drawn) of \(pool) others, taken at random"),
        DemoArm(
            name: "mined", key: "mined", negatives: .mined, sampling: "uniform",
            adds: "the \(pool) others found by the autoencoder in CLIP space"),
        DemoArm(
            name: "MISP-DPO", key: "misp", negatives: .mined, sampling: "importance",
            adds: "the \(drawn) drawn by importance"),
    ]

    var objective: String { negatives == nil ? "dpo" : "misp" }
    /// Its groups, from the demonstration's folder.
    var data: String { "groups\(negatives.map { "-\($0.rawValue)" } ?? "").jsonl" }
}
