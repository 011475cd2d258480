import Core
import Foundation
import TestSupport
import Testing

/// All files of a tokenizer together, held to transformers' AutoTokenizer (Tests/Goldens/tokenizer_files.py).
@Suite struct TokenizerFilesTests {
    private static let source = golden("checkpoints/llama-clip-spm")

    /// A folder with the files of the small checkpoint, and others over them: null for none, members of a JSON file for
    /// its own.
    private func folder(_ files: JSON.Object, over names: [String] = ["tokenizer.json", "tokenizer_config.json"]) throws
        -> TemporaryFolder
    {
        let folder = try TemporaryFolder()
        for name in names {
            try FileManager.default.copyItem(at: Self.source.appending(path: name), to: folder[name])
        }
        for (name, content) in files.members {
            guard let content = content.object else {
                try FileManager.default.removeItem(at: folder[name])
                continue
            }
            var members = JSON.Object()
            if FileManager.default.fileExists(atPath: folder[name].path) {
                members = try JSONField(contentsOf: folder[name]).object()
            }
            for (key, value) in content.members { members[key] = value }
            try Data(JSON.object(members).description.utf8).write(to: folder[name])
        }
        return folder
    }

    @Test func idsAreThoseOfAutoTokenizer() throws {
        let variants = try JSONField(contentsOf: golden("tokenizer_files.json")).array()
        #expect(variants.count > 20)
        for variant in variants {
            let name = try variant["name"].string()
            let folder = try folder(try variant["files"].object())
            let tokenizer = try Tokenizer(folder: folder.url)
            #expect(tokenizer.endOfSequence.map { Int($0.id) } == variant["eos"].value?.int, "\(name)")
            for one in try variant["cases"].array() {
                let text = try one[0].string()
                for (index, special) in [(1, false), (2, true)] {
                    let ids = tokenizer.encode(text, addSpecialTokens: special).map { Int($0) }
                    #expect(ids == (try one[index].array().map { try $0.int() }), "\(name): \(text)")
                }
            }
        }
    }

    private func refusal(_ files: String) throws -> String {
        let files = try JSON(parsing: files).object ?? JSON.Object()
        let folder = try folder(files)
        return try #require(throws: MISPError.self) { try Tokenizer(folder: folder.url) }.description
    }

    @Test(arguments: [
        (
            #"{"tokenizer_config.json": {"added_tokens_decoder": {"400": {"content": "<a>"}}}}"#,
            "added_tokens_decoder.400"
        ),
        (
            #"{"tokenizer_config.json": {"added_tokens_decoder": {"7": {"content": "<image>"}}}}"#,
            "added_tokens_decoder.7"
        ),
        (#"{"tokenizer_config.json": {"added_tokens_decoder": {"x": {"content": "<a>"}}}}"#, "added_tokens_decoder.x"),
        (#"{"tokenizer_config.json": {"added_tokens_decoder": {"338": "<a>"}}}"#, "added_tokens_decoder.338"),
        (
            #"{"tokenizer_config.json": {"added_tokens_decoder": {"338": {"content": "<a>", "trim": true}}}}"#,
            "338.trim"
        ),
        (#"{"tokenizer_config.json": {"added_tokens_decoder": [1]}}"#, "added_tokens_decoder"),
        (#"{"tokenizer_config.json": {"video_token": {"content": "<a>"}}}"#, "tokenizer_config.json: video_token"),
        (
            #"{"tokenizer_config.json": {"start_token": {"content": "<a>", "__type": "str"}}}"#,
            "tokenizer_config.json: start_token"
        ),
        (
            #"""
            {"tokenizer_config.json": {"added_tokens_decoder": {}, \#
            "box_token": {"content": "<a>", "special": true}}}
            """#,
            "tokenizer_config.json: box_token"
        ),
        (#"{"tokenizer_config.json": {"model_specific_special_tokens": 7}}"#, "model_specific_special_tokens"),
        (#"{"tokenizer_config.json": {"additional_special_tokens": {"a": "<a>"}}}"#, "additional_special_tokens"),
        (#"{"added_tokens.json": {"<a>": 999999999999}}"#, "added_tokens.json: <a>"),
        (#"{"added_tokens.json": {"<a>": -1}}"#, "added_tokens.json: <a>"),
        (#"{"added_tokens.json": {"</s>": 5}}"#, "added_tokens.json: </s>"),
        (#"{"special_tokens_map.json": {"eos_tokens": ["</s>"]}}"#, "special_tokens_map.json: eos_tokens"),
        (#"{"special_tokens_map.json": {"eos_token": 2}}"#, "special_tokens_map.json: eos_token"),
        (#"{"tokenizer_config.json": {"split_special_tokens": true}}"#, "tokenizer_config.json: split_special_tokens"),
        (
            #"{"tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["x.Y", null]}}}"#,
            "tokenizer_config.json: auto_map"
        ),
        (
            #"{"tokenizer.json": {"added_tokens": [{"content": "a", "special": true, "weight": 2}]}}"#,
            "added_tokens[0].weight"
        ),
        (
            #"""
            {"tokenizer.json": {"normalizer": {"type": "Strip", "strip_left": true, "strip_right": true, \#
            "strip_all": 1}}}
            """#,
            "normalizer.strip_all"
        ),
        (#"{"tokenizer.json": {"pre_tokenizer": {"type": "WhitespaceSplit", "keep": 3}}}"#, "pre_tokenizer.keep"),
        (#"{"tokenizer.json": {"decoder": {"type": "Fuse", "by": "x"}}}"#, "decoder.by"),
        (#"{"tokenizer.json": {"post_processor": {"type": "ByteLevel", "prefix": "x"}}}"#, "post_processor.prefix"),
        (#"{"tokenizer.json": {"post_tokenizer": {"type": "x"}}}"#, "tokenizer.json: post_tokenizer"),
    ])
    func contradictionsAndUnknownPartsAreRefusedByFileAndKey(files: String, key: String) throws {
        let message = try refusal(files)
        #expect(message.contains(key), "\(message)")
    }

    @Test(arguments: [
        ("tokenizer_config.json", TokenizerSettings.configurationKeys),
        ("special_tokens_map.json", TokenizerSettings.mapKeys),
    ])
    func everyKeyIsReadHarmlessAtItsDefaultOrRefused(name: String, table: KeyTable) throws {
        let folder = try TemporaryFolder()
        let probe = KeyTableProbe(table: table, wrong: 7) { json in
            do {
                try FileOutput.write(json.description, to: folder[name])
                _ = try TokenizerSettings(folder: folder.url)
                return nil
            } catch { return error as? MISPError }
        }
        #expect(probe.faults() == [])
    }

    @Test func everyKeyOfTheTokenizerIsReadHarmlessOrRefused() throws {
        let merges: JSON = ["model": ["type": "BPE", "vocab": ["a": 0], "merges": []]]
        let probe = KeyTableProbe(table: Tokenizer.keys, wrong: 7) { json in
            do throws(MISPError) {
                let members = (merges.object?.members ?? []) + (json.object?.members ?? [])
                _ = try Tokenizer(JSONField(.object(.init(members.map { ($0.key, $0.value) })), file: "tokenizer.json"))
                return nil
            } catch { return error }
        }
        #expect(probe.read([:]) == nil)
        #expect(probe.faults() == [])
    }

    /// tokenizer_config.json and config.json may each name a token that the model has no embedding for.
    @Test(arguments: [
        ("tokenizer_config.json", #"{"eos_token": "<new>"}"#, "tokenizer_config.json: eos_token"),
        ("special_tokens_map.json", #"{"eos_token": "<new>"}"#, "special_tokens_map.json: eos_token"),
        (
            "tokenizer_config.json", #"{"added_tokens_decoder": {"338": {"content": "<a>"}}, "eos_token": "<a>"}"#,
            "eos_token"
        ),
    ])
    func anEndWithoutEmbeddingIsRefused(name: String, members: String, place: String) throws {
        let files = JSON.Object([(name, try JSON(parsing: members))])
        let folder = try folder(
            files, over: ["tokenizer.json", "tokenizer_config.json", "config.json", "preprocessor_config.json"])
        var config = try JSONField(contentsOf: folder["config.json"]).object()
        var text = try #require(config["text_config"]?.object)
        text["vocab_size"] = 338
        config["text_config"] = .object(text)
        try FileOutput.write(JSON.object(config).description, to: folder["config.json"])
        let error = try #require(throws: MISPError.self) { try ModelFolder(folder.url) }
        #expect(error.description.contains(place) && error.description.contains("338 embeddings"), "\(error)")
    }

    @Test(arguments: ["-1", "338", "4294967298", "9223372036854775807"]) func anEndOfConfigJSONIsChecked(id: String)
        throws
    {
        let folder = try folder(
            JSON.Object([("tokenizer_config.json", JSON.null)]),
            over: ["tokenizer.json", "tokenizer_config.json", "config.json", "preprocessor_config.json"])
        var config = try JSONField(contentsOf: folder["config.json"]).object()
        var text = try #require(config["text_config"]?.object)
        text["eos_token_id"] = try JSON(parsing: id)
        text["vocab_size"] = 338
        config["text_config"] = .object(text)
        try FileOutput.write(JSON.object(config).description, to: folder["config.json"])
        let error = try #require(throws: MISPError.self) { try ModelFolder(folder.url) }
        #expect(error.description.contains("eos_token_id"), "\(error)")
    }
}
