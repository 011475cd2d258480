import Foundation
import TestSupport
import Testing

/// How the launch scripts build, with a swift of the test's own; and what they ask for before they start anything.
@Suite struct BuildScriptTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(at: folder["checkout"], withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: repository.appending(path: "launch"), to: folder["checkout/launch"])
    }

    /// A swift that does this for a build, and is asked nothing but its version besides.
    private func swift(_ building: String) throws {
        try folder.writeProgram(
            """
            #!/bin/bash
            if [[ $1 == --version ]]; then echo 'Swift version 6.3'; exit; fi
            echo "$*" >>"\(folder["given"].path)"
            if [[ -t 1 || -t 2 ]]; then echo 'error: on a terminal'; fi
            \(building)
            """, to: "bin/swift")
        // Nothing is to be installed.
        for tool in ["pkg-config", "mpirun"] { try folder.writeProgram("#!/bin/sh\nexit 0\n", to: "bin/\(tool)") }
    }

    private func build(_ command: String = "checkout/launch/build") throws -> ScriptRun {
        try runBash(
            "unset MISP_BUILT MISP_COMMAND MISP_LAUNCH; PATH=\"$PWD/bin:$PATH\"; \(command)", in: folder.url)
    }

    /// Warnings and errors pass whole, steps do not, and the status is that of a fault to be fixed.
    @Test func errorsOfABuildAreShownWhole() throws {
        try swift(
            """
            echo 'Building for production...'
            echo '[1/9] Write sources'
            echo '[2/9] Compiling Core A.swift'
            echo '/x/A.swift:1:5: error: cannot find it'
            echo '1 | let a = it'
            echo '  |     `- error: [here] it is'
            printf 'without an end'
            exit 1
            """)
        let run = try build()
        #expect(run.status == 2)
        #expect(
            run.errors.contains(
                "/x/A.swift:1:5: error: cannot find it\n1 | let a = it\n  |     `- error: [here] it is\n"
                    + "without an end\n"),
            "\(run.errors)")
        #expect(run.errors.contains("building: step 2 of 9, 0:0"), "\(run.errors)")
        #expect(!run.errors.contains("Write sources") && !run.errors.contains("built in"), "\(run.errors)")
        #expect(run.errors.hasSuffix("build: the build failed; see above\n"), "\(run.errors)")
    }

    @Test func aBuildWithNothingToDoSaysNothing() throws {
        try swift("echo 'Building for production...'; echo '[0/3] Write sources'; echo 'Build complete! (0.4s)'")
        let run = try build()
        #expect(run.status == 0 && run.output.isEmpty && run.errors.isEmpty, "\(run.errors)")
    }

    /// A step that takes long is not silent: a line every eight seconds.
    @Test func aLongStepIsReported() throws {
        try swift("echo '[4/7] Compiling Core A.swift'; sleep 10; echo 'Build complete! (9s)'")
        let run = try build()
        let step = "building: step 4 of 7, 0:"
        let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix(step) }
        #expect(run.status == 0 && lines.count == 2, "\(run.errors)")
        #expect(run.errors.contains("built in 0:"), "\(run.errors)")
    }

    /// On a terminal swift build would give each compiler another option, and build all anew.
    @Test func swiftNeverSeesATerminal() throws {
        try swift("echo '[4/7] Compiling Core A.swift'; sleep 3; echo 'Build complete! (3s)'")
        let piped = try build()
        let terminal = try build("script -qec checkout/launch/build /dev/null")
        #expect(piped.status == 0 && terminal.status == 0, "\(terminal.output)")
        #expect(!terminal.output.contains("on a terminal"), "\(terminal.output)")
        #expect(terminal.output.contains("\r\u{1B}[Kbuilding: step 4 of 7, 0:0"), "\(terminal.output)")
        let given = try String(contentsOf: folder["given"], encoding: .utf8).split(separator: "\n")
        #expect(given.count == 2 && Set(given).count == 1, "\(given)")
    }

    @Test(arguments: [
        "local -n 2 --", "local -n 2", "local", "hosts --hostfile hosts -n 2 --", "supervise --", "debug --",
    ])
    func aCommandIsAskedFor(line: String) throws {
        try folder.writeProgram("localhost slots=2\n", to: "hosts")
        let run = try build("checkout/launch/\(line)")
        let options = line.split(separator: " ").filter { $0 != "--" }.joined(separator: " ")
        #expect(run.status == 2 && run.output.isEmpty)
        #expect(
            run.errors.contains("say what to run, such as checkout/launch/\(options) -- train --config run.yaml"),
            "\(run.errors)")
        #expect(run.errors.contains("checkout/launch/demo is the demonstration"), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }

    /// The program learns how its commands are typed: as the script was, with its options.
    @Test(arguments: [
        ("checkout/launch/local -n 2 -- train", "checkout/launch/local -n 2 -- | checkout/launch/"),
        ("cd checkout; launch/local train", "launch/local -- | launch/"),
        ("cd checkout/launch; ./local -n 1 --bind none train", "./local -n 1 --bind none -- | ./"),
        ("cd checkout; launch/reproduce -n 1", "launch/local -- | launch/"),
        ("MISP_LAUNCH=mine/ MISP_COMMAND='mine/local --' checkout/launch/local train", "mine/local -- | mine/"),
    ])
    func commandsAreTypedAsTheScriptWas(command: String, said: String) throws {
        try folder.writeProgram(
            "#!/bin/sh\necho \"$MISP_COMMAND | $MISP_LAUNCH\"\n", to: "checkout/.build/release/misp-worker")
        try folder.writeProgram(
            "#!/bin/bash\nwhile [[ $1 != */misp-worker ]]; do shift; done\nexec \"$@\"\n", to: "bin/mpirun")
        let run = try build("export MISP_BUILT=1; \(command)")
        #expect(run.status == 0 && run.output == said + "\n", "\(run.output)\(run.errors)")
    }
}
