import Core
import Foundation

/// What a step of the autoencoder's training has to tell.
package struct AutoencoderStep: Codable, Sendable {
    /// Counted from 1.
    package let step: Int
    /// Reconstruction + γ·penalty.
    package let loss: Double
    /// Mean of ‖d − d̂‖².
    package let reconstruction: Double
    /// Σ_j KL(ρ ‖ ρ̂_j).
    package let penalty: Double
    /// Reconstruction over the mean of ‖d‖².
    package let relativeError: Double
    /// Mean of the latents; the penalty draws it to ρ.
    package let meanActivation: Double
    package let samples: Int
    package let seconds: Double

    init(step: Int, _ loss: AutoencoderLoss, samples: Int, seconds: Double) {
        self.step = step
        self.loss = loss.loss
        (reconstruction, penalty) = (loss.reconstruction, loss.penalty)
        (relativeError, meanActivation) = (loss.relativeError, loss.meanActivation)
        (self.samples, self.seconds) = (samples, seconds)
    }

    /// A line of `sae.jsonl`.
    package var json: JSON {
        [
            "step": .integer(step), "loss": .number(loss), "reconstruction": .number(reconstruction),
            "penalty": .number(penalty), "relative_error": .number(relativeError),
            "mean_activation": .number(meanActivation), "samples": .integer(samples), "time/step": .number(seconds),
        ]
    }
}

/// A training of the autoencoder in a few numbers, and its curve.
package struct AutoencoderSummary: Codable, Sendable {
    /// Steps over which a latent has to stay silent to count as dead.
    package static let window = 50

    package let steps: [AutoencoderStep]
    package let latents: Int
    /// Latents that no sample of the last steps (`window`) brought above twice ρ.
    package let deadLatents: Int
    /// ρ
    package let sparsity: Double

    init(steps: [AutoencoderStep], peaks: [[Double]], settings: AutoencoderSettings) {
        self.steps = steps
        latents = settings.latents
        sparsity = settings.sparsity
        deadLatents = (0..<settings.latents).count { latent in
            peaks.allSatisfy { $0[latent] < 2 * settings.sparsity }
        }
    }

    /// One line for people: loss, what is left of the differences, mean activation, dead latents.
    package var line: String {
        guard let first = steps.first, let last = steps.last else { return "no steps" }
        return String(
            format:
                "loss %.4f → %.4f, relative error %.3f → %.3f, mean activation %.3f (ρ %.3f), "
                + "%d of %d latents dead",
            first.loss, last.loss, first.relativeError, last.relativeError, last.meanActivation, sparsity, deadLatents,
            latents)
    }
}
