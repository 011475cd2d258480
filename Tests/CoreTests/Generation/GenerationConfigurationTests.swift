import Core
import Testing

@Suite struct GenerationConfigurationTests {
    private func read(_ json: JSON) throws(MISPError) -> GenerationConfiguration {
        try GenerationConfiguration(JSONField(json, file: "generation_config.json"), vocabulary: 100)
    }

    @Test func whatIsReadAndWhatIsNotLookedAt() throws {
        let greedy = try read([
            "temperature": 0.2, "top_k": 3, "typical_p": 0.5, "eos_token_id": [3, 5], "min_length": 4,
        ])
        #expect(!greedy.samples && greedy.temperature == nil && greedy.topK == nil)
        #expect(greedy.ends == [3, 5] && greedy.leastLength == 4)
        let drawing = try read(["do_sample": true, "temperature": 0.2, "top_k": 3, "top_p": 0.5, "min_p": 0.1])
        #expect(drawing.samples && drawing.temperature == 0.2 && drawing.topK == 3)
        #expect(drawing.topP == 0.5 && drawing.minP == 0.1)
        #expect(try read([:]) == GenerationConfiguration())
    }

    @Test(arguments: [true, false]) func everyKeyIsReadHarmlessAtItsDefaultOrRefused(samples: Bool) {
        let probe = KeyTableProbe(table: GenerationConfiguration.table) { json in
            var object = json.object ?? JSON.Object()
            if samples, object["do_sample"] == nil { object["do_sample"] = true }
            do throws(MISPError) {
                _ = try read(.object(object))
                return nil
            } catch { return error }
        }
        // What only draws need is in no table but its own.
        #expect(probe.faults() == [])
    }

    @Test(arguments: [
        ("typical_p", 0.9), ("epsilon_cutoff", 3e-4), ("eta_cutoff", 1e-3), ("top_h", 0.4), ("temperature", 0),
        ("temperature", -1),
        ("top_p", 0), ("top_p", 1.5), ("top_k", -1), ("top_k", 0.5), ("min_p", 2),
        ("temperature", .infinity), ("temperature", .nan),
    ])
    func drawsThatAreNotImplementedAreRefusedWhereTheFileAsksForDraws(key: String, value: Double) throws {
        #expect(throws: Never.self) { try read(.object(.init([(key, .number(value))]))) }
        let error = try #require(throws: MISPError.self) {
            try read(.object(.init([("do_sample", true), (key, .number(value))])))
        }
        #expect(error.place == "generation_config.json: \(key)")
    }

    @Test(arguments: [
        ("repetition_penalty", "0"), ("repetition_penalty", "Infinity"), ("repetition_penalty", "\"1.1\""),
        ("no_repeat_ngram_size", "-2"), ("max_new_tokens", "0"), ("max_length", "1e30"),
        ("min_new_tokens", "99999999999"),
        ("min_length", "NaN"), ("eos_token_id", "100"), ("eos_token_id", "[2, -1]"), ("eos_token_id", "4294967298"),
        ("suppress_tokens", "[9223372036854775807]"), ("begin_suppress_tokens", "[100]"),
        ("suppress_tokens", "[\"a\"]"),
        ("do_sample", "1"),
    ])
    func numbersAndIdsHaveBounds(key: String, value: String) throws {
        let json = try JSON(parsing: "{\"\(key)\": \(value)}")
        let error = try #require(throws: MISPError.self) { try read(json) }
        #expect(error.place?.hasPrefix("generation_config.json: \(key)") == true, "\(error)")
    }

    /// Of transformers' NoRepeatNGramLogitsProcessor and MinPLogitsWarper, by hand.
    @Test func constraintsByHand() {
        var history = TokenHistory(prompt: [1, 2, 3])
        for token: Int32 in [1, 2] { history.append(token) }
        var constraints = TokenConstraints()
        constraints.noRepeatSize = 3
        var logits: [Float] = [0, 0, 0, 0, 0]
        constraints.apply(to: &logits, history)
        #expect(logits == [0, 0, 0, -.infinity, 0])
        constraints.noRepeatSize = 9
        logits = [0, 0]
        constraints.apply(to: &logits, history)
        #expect(logits == [0, 0])
        let kept = TokenSampler.candidates([0, -1, -2, -3], 1, 0, 1, minP: 0.2).map(\.token)
        #expect(kept == [0, 1])
    }
}
