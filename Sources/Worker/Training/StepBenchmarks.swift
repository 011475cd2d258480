import Core

/// What a run asks its model after some of its steps, besides the loss of held-out groups.
protocol StepBenchmarks {
    /// Collective. Rank 0 returns the measures by name, such as `pope/accuracy`; the others return none.
    ///
    /// - Throws: an `AgreedFailure`, of a kind that ends the run where a signal stopped it
    func measures<A: VectorArithmetic>(
        of run: TrainingRun<A>, after steps: Int
    ) throws -> [(name: String, value: Double)]
}
