import Core

/// Which groups each optimiser step takes: a pure function of seed and step, so that the loader's whole state is the
/// number of steps taken.
struct StepOrder {
    let groups: Int
    let groupsPerStep: Int
    let totalSteps: Int
    private let shuffles: Bool
    private let seed: UInt64

    init(groups: Int, _ configuration: RunConfiguration) {
        self.groups = groups
        (seed, shuffles) = (configuration.seed, configuration.data.shuffle)
        let optimizer = configuration.optimizer
        groupsPerStep = min(optimizer.groupsPerStep, groups)
        let perEpoch = (groups + groupsPerStep - 1) / groupsPerStep
        switch optimizer.duration {
        case .epochs(let epochs): totalSteps = epochs * perEpoch
        case .steps(let steps): totalSteps = steps
        }
    }

    /// Groups that a run may take in all, each counted as often as it is taken.
    static let mostVisits = 100_000_000

    /// - Throws: `MISPError` for a run that would take more groups than are counted.
    static func check(groups: Int, _ configuration: RunConfiguration) throws(MISPError) {
        let optimizer = configuration.optimizer
        let (times, each, key) =
            switch optimizer.duration {
            case .epochs(let epochs): (epochs, groups, "optimizer.epochs")
            case .steps(let steps): (steps, min(optimizer.groupsPerStep, groups), "optimizer.steps")
            }
        let (visits, overflows) = times.multipliedReportingOverflow(by: each)
        guard overflows || visits > mostVisits else { return }
        throw MISPError(
            "is \(times), which takes groups more than \(mostVisits / 1_000_000) million times", at: key,
            remedy: "lower it")
    }

    /// The last step of an epoch takes what is left.
    var stepsPerEpoch: Int { (groups + groupsPerStep - 1) / groupsPerStep }
    var epochs: Int { (totalSteps + stepsPerEpoch - 1) / stepsPerEpoch }

    func epoch(of step: Int) -> Int { step / stepsPerEpoch }

    /// Indices of the groups of a step, counted from 0.
    func groups(of step: Int) -> [Int] {
        let start = step % stepsPerEpoch * groupsPerStep
        let range = start..<min(start + groupsPerStep, groups)
        return Array(order(of: epoch(of: step))[range])
    }

    private func order(of epoch: Int) -> [Int] {
        guard shuffles else { return Array(0..<groups) }
        var random = KeyedRandom(seed, "order", String(epoch))
        return random.permutation(groups)
    }

    /// By group, the epochs in which it is taken by the steps from `first` to the last.
    func epochs(from first: Int) -> [[Int]] {
        var taken = [[Int]](repeating: [], count: groups)
        for epoch in epoch(of: first)..<max(epochs, epoch(of: first)) {
            let order = order(of: epoch)
            let start = epoch * stepsPerEpoch
            for step in max(first, start)..<max(first, start, min(totalSteps, start + stepsPerEpoch)) {
                let place = (step - start) * groupsPerStep
                for group in order[place..<min(place + groupsPerStep, groups)] { taken[group].append(epoch) }
            }
        }
        return taken
    }
}
