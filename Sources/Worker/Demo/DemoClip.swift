import Coordinator
import Core
import Foundation

/// The demonstration's own CLIP: a Hugging Face folder of `CLIPModel` with some 160,000 parameters, which the program
/// trains on the gallery's pictures and their captions.
enum DemoClip {
    private static let specials = ["<pad>", "<unk>", "<s>", "</s>"]
    private static let width = 64

    /// Writes all of the folder but the weights.
    static func write(to folder: URL) throws {
        try OutputFolder.make(folder)
        for (name, content) in [
            ("config.json", configuration),
            ("tokenizer.json", DemoTokenizer.content(specials: specials, closing: "</s>")),
            ("tokenizer_config.json", DemoTokenizer.settings), ("preprocessor_config.json", DemoModel.preprocessor),
        ] {
            try FileOutput.write(content.description + "\n", to: folder.appending(path: name))
        }
    }

    /// Collective. Trains the model of the folder from random values, and writes its weights there.
    static func train(
        _ folder: URL, on pairs: [CaptionedPicture], seed: UInt64, epochs: Int, communicator: any Communicator
    ) throws {
        var settings = ContrastiveSettings()
        (settings.seed, settings.epochs) = (seed, epochs)
        let training = try communicator.agree {
            try ContrastiveTraining(
                folder: folder, from: InitialTensors(seed: seed), settings, communicator: communicator)
        }
        let steps = pairs.count / settings.batch * epochs
        var progress = PhaseProgress("CLIP, step", of: steps, isTold: communicator.rank == 0)
        try training.run(pairs) { step in
            let note = String(format: "loss %.3f, %.0f %% find their caption", step.loss, 100 * step.accuracy)
            progress.update(step.number, note: note)
        }
    }

    private static var configuration: JSON {
        [
            "architectures": ["CLIPModel"], "model_type": "clip", "dtype": "float32",
            "projection_dim": .integer(width), "logit_scale_init_value": 2.6592,
            "text_config": [
                "model_type": "clip_text_model", "vocab_size": .integer(specials.count + DemoLanguage.words.count),
                "hidden_size": .integer(width), "intermediate_size": 128, "num_hidden_layers": 2,
                "num_attention_heads": 4, "max_position_embeddings": 32, "hidden_act": "quick_gelu",
                "layer_norm_eps": 1e-5, "projection_dim": .integer(width), "pad_token_id": 0, "bos_token_id": 2,
                "eos_token_id": 3,
            ],
            "vision_config": [
                "model_type": "clip_vision_model", "hidden_size": .integer(width), "intermediate_size": 128,
                "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": .integer(Scene.pixels),
                "patch_size": .integer(Scene.cellSide), "num_channels": 3, "hidden_act": "quick_gelu",
                "layer_norm_eps": 1e-5, "projection_dim": .integer(width),
            ],
        ]
    }
}
