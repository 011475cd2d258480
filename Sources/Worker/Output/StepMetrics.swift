import Core

/// What is known of one optimiser step. Means are over the step's groups; rewards are β·h. What a run does not compute
/// stays NaN.
package struct StepMetrics: Sendable {
    /// Counted from 1.
    package var step: Int
    /// Passes over the data done after this step.
    package var epoch: Double
    package var loss = Double.nan
    package var lossImage = Double.nan
    package var lossText = Double.nan
    /// L2, before clipping.
    package var gradNorm = Double.nan
    package var learningRate = Double.nan
    package var rewardChosen = Double.nan
    package var rewardRejected = Double.nan
    package var rewardMargin = Double.nan
    package var rewardAccuracy = Double.nan
    /// Over drawn negatives.
    package var rewardNegatives = Double.nan
    package var logpChosen = Double.nan
    package var logpRejected = Double.nan
    /// Effective sample size of the importance weights.
    package var effectiveSamples = Double.nan
    package var maxWeight = Double.nan
    package var balanceEfficiency = Double.nan
    /// Seconds.
    package var timeStep = Double.nan
    package var timeForward = Double.nan
    package var timeBackward = Double.nan
    package var timeReduce = Double.nan
    package var timeOptimizer = Double.nan
    package var tokensPerSecond = Double.nan
    /// Share of the machine's measured GEMM rate.
    package var mfu = Double.nan

    package init(step: Int, epoch: Double) {
        self.step = step
        self.epoch = epoch
    }

    /// Everything but the step, under TRL's names where it has one, in the order of the file.
    package var scalars: [(name: String, value: Double)] {
        [
            ("epoch", epoch), ("loss", loss), ("loss/image", lossImage), ("loss/text", lossText),
            ("grad_norm", gradNorm), ("learning_rate", learningRate), ("rewards/chosen", rewardChosen),
            ("rewards/rejected", rewardRejected), ("rewards/margins", rewardMargin),
            ("rewards/accuracies", rewardAccuracy), ("rewards/negatives", rewardNegatives),
            ("logps/chosen", logpChosen), ("logps/rejected", logpRejected), ("is/ess", effectiveSamples),
            ("is/max_weight", maxWeight), ("balance/efficiency", balanceEfficiency), ("time/step", timeStep),
            ("time/forward", timeForward), ("time/backward", timeBackward), ("time/reduce", timeReduce),
            ("time/optimizer", timeOptimizer), ("tokens_per_second", tokensPerSecond), ("mfu", mfu),
        ]
    }

    /// A line of metrics.jsonl; numbers that are not finite become null.
    package var json: JSON {
        var object = JSON.Object([("step", .integer(step))])
        for (name, value) in scalars { object[name] = .number(value) }
        return .object(object)
    }
}
