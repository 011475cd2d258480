import Core
import Foundation

/// One key of a configuration, declared once: its name, where its value stands, what it may be, and a line of help.
///
/// Reading, writing, the hint for an unknown key and the tables of docs/configuration.md all follow from it.
package struct ConfigurationKey<Root>: Sendable {
    typealias Read = @Sendable (_ section: ConfigurationField, _ root: inout Root) throws(MISPError) -> Void

    /// `optimizer`; nil for a key at the top.
    package var section: String?
    package let name: String
    /// What it may be, for the documentation.
    package let values: String
    package let help: String
    /// The default in words, where it is not one value.
    package var standard: String?
    /// Puts the section's value, where there is one, into the root.
    let read: Read
    package let write: @Sendable (Root) -> JSON

    init(
        _ name: String, _ values: String, _ help: String, standard: String? = nil, read: @escaping Read,
        write: @escaping @Sendable (Root) -> JSON
    ) {
        (self.name, self.values, self.help, self.standard) = (name, values, help, standard)
        (self.read, self.write) = (read, write)
    }
}

extension ConfigurationKey {
    package typealias Place<Value> = WritableKeyPath<Root, Value> & Sendable

    static func int(
        _ name: String, _ place: Place<Int>, from least: Int, to most: Int, _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, "\(least) to \(most)", help,
            read: { section, root throws(MISPError) in
                root[keyPath: place] = try section[name].int(default: root[keyPath: place], from: least, to: most)
            },
            write: { .integer($0[keyPath: place]) })
    }

    /// - Parameter range: in words, as in `must be \(range)`
    static func number(
        _ name: String, _ place: Place<Double>, _ range: String, _ help: String, standard: String? = nil,
        where isValid: @escaping @Sendable (Double) -> Bool
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, range, help, standard: standard,
            read: { section, root throws(MISPError) in
                root[keyPath: place] = try section[name].number(
                    default: root[keyPath: place], range, where: isValid)
            },
            write: { .number($0[keyPath: place]) })
    }

    static func bool(_ name: String, _ place: Place<Bool>, _ help: String) -> ConfigurationKey {
        ConfigurationKey(
            name, "true, false", help,
            read: { section, root throws(MISPError) in
                root[keyPath: place] = try section[name].bool(default: root[keyPath: place])
            },
            write: { .bool($0[keyPath: place]) })
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ place: Place<Choice>, _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, Choice.allCases.map(\.rawValue).joined(separator: ", "), help,
            read: { section, root throws(MISPError) in
                root[keyPath: place] = try section[name].choice(default: root[keyPath: place])
            },
            write: { .string($0[keyPath: place].rawValue) })
    }

    /// A file or folder that has a value already where none is given.
    static func path(
        _ name: String, _ place: Place<URL>, standard: String, _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, "path", help, standard: standard,
            read: { section, root throws(MISPError) in
                if let path = try section[name].fileURL() { root[keyPath: place] = path }
            },
            write: { .string($0[keyPath: place].path) })
    }

    /// A file or folder without which nothing can be done.
    static func required(
        _ name: String, _ place: Place<URL>, remedy: String, _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, "path", help, standard: "required",
            read: { section, root throws(MISPError) in
                guard let path = try section[name].fileURL() else {
                    throw section[name].failure("is missing", remedy: remedy)
                }
                root[keyPath: place] = path
            },
            write: { .string($0[keyPath: place].path) })
    }

    /// A whole number that has no value of its own.
    static func optional(
        _ name: String, _ place: Place<Int?>, from least: Int, to most: Int, _ help: String, standard: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, "\(least) to \(most)", help, standard: standard,
            read: { section, root throws(MISPError) in
                guard section[name].isPresent else { return }
                root[keyPath: place] = try section[name].int(default: least, from: least, to: most)
            },
            write: { root in root[keyPath: place].map { .integer($0) } ?? .null })
    }

    static func optional(
        _ name: String, _ place: Place<Bool?>, _ help: String, standard: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, "true, false", help, standard: standard,
            read: { section, root throws(MISPError) in
                guard section[name].isPresent else { return }
                root[keyPath: place] = try section[name].bool(default: false)
            },
            write: { root in root[keyPath: place].map { .bool($0) } ?? .null })
    }

    /// - Parameter range: in words, as in `must be \(range)`
    static func optional(
        _ name: String, _ place: Place<Double?>, _ range: String, _ help: String, standard: String,
        where isValid: @escaping @Sendable (Double) -> Bool
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, range, help, standard: standard,
            read: { section, root throws(MISPError) in
                guard section[name].isPresent else { return }
                root[keyPath: place] = try section[name].number(default: 0, range, where: isValid)
            },
            write: { root in root[keyPath: place].map { .number($0) } ?? .null })
    }

    static func optional<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ place: Place<Choice?>, _ help: String, standard: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name, Choice.allCases.map(\.rawValue).joined(separator: ", "), help, standard: standard,
            read: { section, root throws(MISPError) in
                if let first = Choice.allCases.first, section[name].isPresent {
                    root[keyPath: place] = try section[name].choice(default: first)
                }
            },
            write: { root in root[keyPath: place].map { .string($0.rawValue) } ?? .null })
    }

    static func optional(_ name: String, _ place: Place<URL?>, _ help: String) -> ConfigurationKey {
        ConfigurationKey(
            name, "path", help,
            read: { section, root throws(MISPError) in root[keyPath: place] = try section[name].fileURL() },
            write: { root in root[keyPath: place].map { .string($0.path) } ?? .null })
    }

    /// Keys every random choice.
    static func seed(_ place: Place<UInt64>, _ help: String) -> ConfigurationKey {
        ConfigurationKey(
            "seed", "0 or more", help,
            read: { section, root throws(MISPError) in
                root[keyPath: place] = UInt64(try section["seed"].int(default: 0, from: 0))
            },
            write: { .integer(Int(clamping: $0[keyPath: place])) })
    }

    /// The key as one of a section of a larger configuration.
    func within<Outer>(
        _ section: String, _ place: ConfigurationKey<Outer>.Place<Root>
    ) -> ConfigurationKey<Outer> {
        let (read, write) = (read, write)
        var key = ConfigurationKey<Outer>(
            name, values, help, standard: standard,
            read: { field, root throws(MISPError) in try read(field, &root[keyPath: place]) },
            write: { write($0[keyPath: place]) })
        key.section = section
        return key
    }

    /// The same of a section that need not be there.
    ///
    /// - Parameter make: what the section sets out from, given the configuration's folder
    func within<Outer>(
        _ section: String, _ place: ConfigurationKey<Outer>.Place<Root?>, _ make: @escaping @Sendable (URL) -> Root
    ) -> ConfigurationKey<Outer> {
        let (read, write) = (read, write)
        var key = ConfigurationKey<Outer>(
            name, values, help, standard: standard,
            read: { field, root throws(MISPError) in
                guard field.isPresent else { return }
                var value = root[keyPath: place] ?? make(field.places.folder)
                try read(field, &value)
                root[keyPath: place] = value
            },
            write: { root in root[keyPath: place].map(write) ?? .null })
        key.section = section
        return key
    }
}

/// All keys of a kind of configuration, in the order of the documentation, in which they are read too.
package struct ConfigurationKeys<Root>: Sendable {
    package let all: [ConfigurationKey<Root>]

    package init(_ all: [ConfigurationKey<Root>]) { self.all = all }

    /// - Parameter isResolvable: whether the file may be one that a run has left, with its environment
    /// - Throws: `MISPError` that names file, line and key of an unknown key or a value that may not be
    func read(
        _ document: ConfigurationDocument, into root: inout Root, isResolvable: Bool = true
    ) throws(MISPError) {
        var known = json(of: root).object ?? JSON.Object()
        if isResolvable { known[ResolvedConfiguration.environmentKey] = .null }
        try document.checkKeys(against: .object(known))
        let field = document.field
        for (name, value) in known.members where value.object != nil { try field[name].checkSection() }
        for key in all { try key.read(key.section.map { field[$0] } ?? field, &root) }
    }

    /// Every key with its value; a section's keys stand together.
    func json(of root: Root) -> JSON {
        var result = JSON.Object()
        for key in all {
            guard let section = key.section else {
                result[key.name] = key.write(root)
                continue
            }
            var members = result[section]?.object ?? JSON.Object()
            members[key.name] = key.write(root)
            result[section] = .object(members)
        }
        return .object(result)
    }
}
