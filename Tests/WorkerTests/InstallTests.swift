import Foundation
import TestSupport
import Testing

/// launch/install and launch/bundle, with programs of the test's own in place of misp-worker and what writes its pages.
@Suite struct InstallTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        // Says what it was given, and how it would be typed.
        try folder.writeProgram(
            """
            #!/bin/sh
            case $1 in
                --version) echo 1.2.3 ;;
                --generate-completion-script) echo "completion of $MISP_COMMAND for $2" ;;
                *) echo "$MISP_COMMAND | $MISP_LAUNCH | $*" ;;
            esac
            """, to: "built/misp-worker")
        try folder.writeProgram(
            "#!/bin/sh\nprintf 'page of %s\\n\\nend\\n' \"$MISP_COMMAND\" >\"$4/misp-worker.train.1\"\n",
            to: "built/generate-manual")
        try folder.writeProgram(
            "#!/bin/bash\nwhile [[ $1 != */misp-worker ]]; do shift; done\nexec \"$@\"\n", to: "bin/mpirun")
    }

    /// Commands in the test's folder; `misp-local` and the like are on the path, `install` is the script.
    private func run(_ commands: String) throws -> ScriptRun {
        try runBash(
            """
            unset MISP_BUILT MISP_COMMAND MISP_LAUNCH
            PATH="$PWD/prefix/bin:$PWD/bin:$PATH"
            install() { "$ROOT"/launch/install --prefix prefix --worker built/misp-worker "$@"; }
            set -e
            \(commands)
            """, in: folder.url)
    }

    private func text(_ name: String) throws -> String { try String(contentsOf: folder[name], encoding: .utf8) }

    @Test func everythingIsWhereAShellLooks() throws {
        let run = try run("umask 077; install")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try text("prefix/share/man/man1/misp-worker.train.1") == "page of misp-worker\n.Pp\nend\n")
        for (shell, file) in [
            ("bash", "bash-completion/completions/misp-worker"), ("zsh", "zsh/site-functions/_misp-worker"),
            ("fish", "fish/vendor_completions.d/misp-worker.fish"),
        ] {
            #expect(try text("prefix/share/\(file)") == "completion of misp-worker for \(shell)\n")
        }
        let programs = try FileManager.default.contentsOfDirectory(atPath: folder["prefix/bin"].path).sorted()
        for program in ["demo", "hosts", "local", "reproduce", "scale", "supervise", "sweep", "worker"] {
            #expect(programs.contains("misp-\(program)"), "\(programs)")
        }
        for script in ["build", "bundle", "install", "lint", "test"] {
            #expect(!programs.contains("misp-\(script)"), "\(programs)")
        }
        // Others may read what root installs, whatever root's mask.
        let mode = try FileManager.default.attributesOfItem(atPath: folder["prefix/bin/misp-worker"].path)
        #expect((mode[.posixPermissions] as? NSNumber)?.intValue == 0o755)
        #expect(FileManager.default.fileExists(atPath: folder["prefix/share/misp/examples/first.yaml"].path))
        #expect(FileManager.default.fileExists(atPath: folder["prefix/share/doc/misp/LICENSE"].path))
    }

    @Test func launchersRunTheInstalledProgramAndSayHowTheyAreTyped() throws {
        let run = try run(
            """
            install 2>/dev/null
            misp-local -n 2 -- train --config 'a b.yaml'
            "$PWD"/prefix/bin/misp-local --threads 1 -- train
            misp-reproduce -n 2
            misp-local --help | grep 'misp-local -n 8 -- train --config run.yaml'
            ! misp-local --help | grep launch/
            """)
        #expect(run.status == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "misp-local -n 2 -- | misp- | train --config a b.yaml", "\(run.output)")
        #expect(lines.contains("misp-local -- | misp- | reproduce"), "\(run.output)")
        #expect(lines.count == 4, "\(run.output)")
    }

    /// Under the folder's own path, not the search path, they are typed with it.
    @Test func aPrefixThatIsNotOnThePath() throws {
        let run = try run("install 2>/dev/null; PATH=\"$PWD/bin:/usr/bin:/bin\"; prefix/bin/misp-local -n 1 -- check")
        #expect(run.output == "prefix/bin/misp-local -n 1 -- | prefix/bin/misp- | check\n", "\(run.errors)")
    }

    @Test func whatWasInstalledIsRemovedAndNothingElse() throws {
        try folder.writeProgram("mine", to: "prefix/share/man/man1/mine.1")
        let run = try run(
            """
            install 2>/dev/null
            install 2>/dev/null
            mkdir prefix/share/misp/examples/runs
            prefix/libexec/misp/launch/install --uninstall --prefix prefix
            find prefix ! -type d
            ls prefix prefix/share
            """)
        #expect(run.status == 0, "\(run.errors)")
        let left = "prefix/share/man/man1/mine.1\nprefix:\nshare\n\nprefix/share:\nman\nmisp\n"
        #expect(run.output == left, "\(run.output)")
        let again = try self.run("\"$ROOT\"/launch/install --uninstall --prefix prefix")
        #expect(again.status == 2 && again.errors.contains("nothing is installed in prefix"), "\(again.errors)")
    }

    @Test func filesOfOthersAreLeftAsTheyAre() throws {
        try folder.writeProgram("another's", to: "prefix/bin/misp-local")
        let run = try run("install")
        #expect(run.status == 2 && run.errors.contains("prefix/bin/misp-local is there already"), "\(run.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder["prefix"].path) == ["bin"])
        #expect(try text("prefix/bin/misp-local") == "another's")
    }

    @Test(arguments: ["../outside", "/etc/outside", "bin/../../outside", ""])
    func aListThatLeadsElsewhereIsRefused(line: String) throws {
        try folder.writeProgram("kept", to: "outside")
        try folder.writeProgram("bin/misp-worker\n\(line)\n", to: "prefix/libexec/misp/files")
        let run = try run("\"$ROOT\"/launch/install --uninstall --prefix prefix")
        #expect(run.status == 2 && run.errors.contains("is no list of installed files"), "\(run.errors)")
        #expect(try text("outside") == "kept")
    }

    @Test func aBundleInstallsItself() throws {
        let run = try run(
            """
            "$ROOT"/launch/bundle --worker built/misp-worker made
            cd made
            tar -xf misp-1.2.3-*.tar.gz
            misp-1.2.3-*/bin/misp-local -n 1 -- check
            misp-1.2.3-*/install --prefix ../prefix
            grep -c libopenblas0 misp-1.2.3-*/README.md
            cd ..
            rm -r made
            misp-local -n 1 -- check
            """)
        #expect(run.status == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 3, "\(run.output)")
        #expect(lines.first?.hasSuffix("/bin/misp-local -n 1 -- | \(prefixOfBundle(lines))misp- | check") == true)
        #expect(lines.last == "misp-local -n 1 -- | misp- | check", "\(run.output)")
        #expect(!FileManager.default.fileExists(atPath: folder["prefix/README.md"].path))
    }

    private func prefixOfBundle(_ lines: [String]) -> String {
        lines.first?.components(separatedBy: "misp-local").first ?? ""
    }

    @Test(arguments: [
        ("--prefix", "wants a folder"), ("--worker none", "wants a misp-worker"), ("--nonsense", "unknown argument"),
        ("--worker bin/mpirun", "wants a misp-worker"), ("--prefix /proc/x", "cannot make"),
    ])
    func argumentsThatAreNotUnderstoodAreRefused(arguments: String, said: String) throws {
        let run = try run("install \(arguments)")
        #expect(run.status == 2 && run.errors.contains(said), "\(run.errors)")
    }
}
