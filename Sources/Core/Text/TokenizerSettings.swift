import Foundation

/// What the files beside tokenizer.json say of a tokenizer, put together as transformers' AutoTokenizer does for a
/// LLaVA folder (its TokenizersBackend, 5.x): tokens with their flags, and the tokens that have names.
///
/// For such a folder tokenizer.json decides all else. Its post-processor, not `add_bos_token` and `add_eos_token`, puts
/// special tokens around a text; `tokenizer_class`, `legacy` and `add_prefix_space` change nothing.
package struct TokenizerSettings {
    /// A token and what an error names.
    private struct Entry {
        var token: AddedToken
        let place: JSONField
        /// The id that the file says it has.
        var id: Int?
    }

    /// transformers' SPECIAL_TOKENS_ATTRIBUTES.
    private static let names = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]

    package static let configurationKeys = KeyTable(
        read: Set(names).union([
            "added_tokens_decoder", "additional_special_tokens", "extra_special_tokens",
            "model_specific_special_tokens",
        ]),
        harmless: [
            "add_bos_token", "add_eos_token", "add_prefix_space", "legacy", "tokenizer_class", "tokenizer_type",
            "clean_up_tokenization_spaces", "model_max_length", "max_len", "max_length", "padding", "padding_side",
            "pad_to_multiple_of", "pad_token_type_id", "truncation", "truncation_side", "truncation_strategy", "stride",
            "chat_template", "chat_control_tokens", "response_template", "response_schema", "processor_class",
            "model_input_names", "return_token_type_ids", "name_or_path", "special_tokens_map_file", "tokenizer_file",
            "vocab_file", "merges_file", "init_inputs", "from_slow", "use_fast", "sp_model_kwargs",
            "spaces_between_special_tokens", "use_default_system_prompt", "errors", "backend", "files_loaded",
            "is_local",
            "local_files_only", "verbose", "device_map", "trust_remote_code", "_commit_hash", "transformers_version",
        ],
        fixed: [
            "split_special_tokens": [false], "fix_mistral_regex": [false], "auto_map": [], "do_lower_case": [false],
            "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": [false],
        ])

    package static let mapKeys = KeyTable(
        read: Set(names).union(["additional_special_tokens", "extra_special_tokens"]))

    private let configuration: JSONField
    private var added: [Entry] = []
    private var named: [(name: String, entry: Entry)] = []
    private var extra: [Entry] = []
    /// Whether the folder is of the older kind, whose tokenizer_config.json has no added_tokens_decoder.
    private var isOlder = true

    /// - Throws: `MISPError` with file and key: what is malformed, or not known here
    package init(folder: URL) throws(MISPError) {
        configuration = try Self.file("tokenizer_config.json", in: folder)
        let map = try Self.file("special_tokens_map.json", in: folder)
        try Self.check(configuration, Self.configurationKeys)
        try Self.check(map, Self.mapKeys)
        let decoder = configuration["added_tokens_decoder"]
        isOlder = decoder.value == nil
        // With added_tokens_decoder the two older files are not read.
        try readNames(map: isOlder ? map : JSONField(nil, file: map.file))
        try readExtra(map: isOlder ? map : JSONField(nil, file: map.file))
        if isOlder {
            try readAddedTokens(Self.file("added_tokens.json", in: folder))
        } else {
            for key in try decoder.object().keys {
                added.append(Entry(token: try AddedToken(decoder[key]), place: decoder[key], id: Int(key)))
                guard added.last?.id != nil else { throw decoder[key].failure("stands under what is no token id") }
            }
            added.sort { ($0.id ?? 0) < ($1.id ?? 0) }
        }
    }

    private static func file(_ name: String, in folder: URL) throws(MISPError) -> JSONField {
        let url = folder.appending(path: name)
        guard FileManager.default.fileExists(atPath: url.path) else { return JSONField(nil, file: url.relativePath) }
        let field = try JSONField(contentsOf: url)
        _ = try field.object()
        return field
    }

    /// Checks all keys but those that name a token of the model's own, such as `image_token`.
    private static func check(_ field: JSONField, _ table: KeyTable) throws(MISPError) {
        guard field.isPresent else { return }
        let others = try field.object().members.filter { !isName($0.key, $0.value) }
        try table.check(
            JSONField(.object(JSON.Object(others.map { ($0.key, $0.value) })), file: field.file, path: field.path),
            remedy: "remove it if the tokenizer gives the same tokens without it")
    }

    private static func isName(_ key: String, _ value: JSON) -> Bool {
        key.hasSuffix("_token") && !configurationKeys.harmless.contains(key)
            && (value.string != nil || value.object != nil)
    }

    /// A token given by its text or as an object.
    private static func entry(_ field: JSONField, isNamed: Bool = true) throws(MISPError) -> Entry {
        if let text = field.value?.string { return Entry(token: AddedToken(text, isSpecial: true), place: field) }
        let isFromMap = field.file.hasSuffix("special_tokens_map.json")
        var token = try AddedToken(field, isAlwaysSpecial: isNamed && isFromMap)
        if isNamed { token.isSpecial = true }
        return Entry(token: token, place: field)
    }

    // MARK: Names

    private mutating func readNames(map: JSONField) throws(MISPError) {
        for name in Self.names {
            let field = map[name].isPresent ? map[name] : configuration[name]
            if field.isPresent { named.append((name, try Self.entry(field))) }
        }
        for file in [configuration, map] where file.isPresent {
            let own = try file.object().members.filter { Self.isName($0.key, $0.value) && !Self.names.contains($0.key) }
            // transformers adds those given as objects first.
            for (name, value) in own.filter({ $0.value.object != nil }) + own.filter({ $0.value.object == nil }) {
                try Self.checkType(file[name], value)
                named.append((name, try Self.entry(file[name])))
            }
        }
        let own = configuration["model_specific_special_tokens"]
        if own.isPresent { _ = try own.object() }
        for section in [configuration["extra_special_tokens"], own] where section.value?.object != nil {
            for key in try section.object().keys { named.append((key, try Self.entry(section[key]))) }
        }
    }

    /// transformers passes over an own token that tokenizer_config.json gives as an object of no type.
    private static func checkType(_ field: JSONField, _ value: JSON) throws(MISPError) {
        guard field.file.hasSuffix("tokenizer_config.json"), value.object != nil,
            value["__type"]?.string != "AddedToken"
        else { return }
        throw field.failure(
            "is an object without \"__type\": \"AddedToken\", which transformers takes for no token",
            remedy: "give its text alone, or the type")
    }

    private mutating func readExtra(map: JSONField) throws(MISPError) {
        var lists = [configuration["extra_special_tokens"]]
        if configuration["extra_special_tokens"].value?.saysNothing ?? true {
            lists = [configuration["additional_special_tokens"]]
        }
        lists.append(map["extra_special_tokens"])
        if lists.allSatisfy({ !$0.isPresent }) { lists = [map["additional_special_tokens"]] }
        for list in lists where list.isPresent {
            // An object of extra_special_tokens names its tokens.
            if list.file == configuration.file, list.path == "extra_special_tokens", list.value?.object != nil {
                continue
            }
            for field in try list.array() { extra.append(try Self.entry(field, isNamed: false)) }
        }
    }

    /// `{token: id}`
    private mutating func readAddedTokens(_ file: JSONField) throws(MISPError) {
        guard file.isPresent else { return }
        let special = Set((named.map(\.entry) + extra).map { UTF8Key($0.token.content) })
        for content in try file.object().keys {
            added.append(
                Entry(
                    token: AddedToken(content, isSpecial: special.contains(UTF8Key(content))), place: file[content],
                    id: try file[content].int()))
        }
        added.sort { ($0.id ?? 0) < ($1.id ?? 0) }
    }

    // MARK: Adding

    /// Puts the tokens behind those of tokenizer.json.
    ///
    /// - Throws: `MISPError` where a file gives a token another id than it gets.
    func add(to list: inout AddedTokenList) throws(MISPError) {
        let names = Set(named.map { UTF8Key($0.entry.token.content) })
        if isOlder {
            for var token in list.tokens where names.contains(UTF8Key(token.content)) && !token.isSpecial {
                token.isSpecial = true
                list.add(token)
            }
        }
        for entry in added {
            var token = entry.token
            if names.contains(UTF8Key(token.content)) { token.isSpecial = true }
            list.add(token)
            guard let id = list.token(token.content)?.id, let stated = entry.id, stated != Int(id) else { continue }
            throw entry.place.failure(
                "gives '\(token.content)' the id \(stated), but it is token \(id) of tokenizer.json",
                remedy: "save the tokenizer anew with transformers, so that its files agree")
        }
        for entry in named.map(\.entry) + extra where list.token(entry.token.content) == nil { list.add(entry.token) }
    }

    /// The text of `eos_token`, and where it stands.
    var endOfSequence: (text: String, place: JSONField)? {
        named.first { $0.name == "eos_token" }.map { ($0.entry.token.content, $0.entry.place) }
    }
}

extension JSONField {
    /// Refuses keys of a part of tokenizer.json that are neither its `type` nor among those named.
    func checkKeys(_ names: String...) throws(MISPError) { try checkKeys(names) }

    func checkKeys(_ names: [String]) throws(MISPError) { try KeyTable(read: Set(names + ["type"])).check(self) }
}
