import Core

/// A run that goes on may have another length than it began with, if the steps taken stay what they were: their groups
/// and draws do, their learning rates with some schedules.
extension RunConfiguration {
    /// What decides the length.
    static let lengthKeys: Set = ["optimizer.epochs", "optimizer.steps"]

    /// This one with the length of the configuration that a checkpoint keeps.
    func withLength(of saved: JSONField) throws(MISPError) -> RunConfiguration {
        let (steps, epochs) = (saved["optimizer"]["steps"], saved["optimizer"]["epochs"])
        var result = self
        result.optimizer.duration = steps.isPresent ? .steps(try steps.int()) : .epochs(try epochs.int())
        return result
    }

    /// - Parameters:
    ///   - before: with the length that the run had when it wrote `file`
    ///   - groups: of the training data
    ///   - taken: steps taken so far
    /// - Returns: a line where the length is another one
    /// - Throws: `MISPError` where a step taken would have been another
    func checkLength(
        _ before: RunConfiguration, groups: Int, taken: Int, in file: String
    ) throws(MISPError) -> String? {
        let (now, then) = (StepOrder(groups: groups, self).totalSteps, StepOrder(groups: groups, before).totalSteps)
        guard now != then else { return nil }
        let key = if case .steps = optimizer.duration { "optimizer.steps" } else { "optimizer.epochs" }
        guard now >= taken else {
            throw MISPError(
                "ends the run after step \(now), but \(taken) are taken in \(file)", at: key,
                remedy: "raise it, or start anew without --resume")
        }
        let rates = [now, then].map { steps in
            LearningRateSchedule(
                optimizer.schedule, peak: optimizer.learningRate, warmupRatio: optimizer.warmupRatio, totalSteps: steps)
        }
        guard let changed = (0..<taken).first(where: { rates[0].rate(at: $0) != rates[1].rate(at: $0) }) else {
            return "going on to step \(now); the run was to end after step \(then)"
        }
        throw MISPError(
            "makes it \(now) steps in place of \(then) in \(file), but with optimizer.schedule "
                + "\(optimizer.schedule.rawValue) step \(changed + 1) would have had another learning rate", at: key,
            remedy:
                "change it back; or train on what this run leaves (model.adapter, or model.path), into another output")
    }
}
