import Foundation
import TestSupport
import Testing

/// The launch scripts as people's shells, schedulers and folders meet them. Where a run's numbers do not matter, a
/// program of the test's own stands in for misp-worker and mpirun.
@Suite(.enabled(if: isReleaseBuilt, "no release build")) struct LaunchTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A copy of the scripts in a folder of that name, with a program that prints what it was given, and in `bin` an
    /// mpirun that runs it once.
    private func standIn(at name: String) throws {
        let checkout = folder[name]
        try FileManager.default.createDirectory(at: checkout, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: repository.appending(path: "launch"), to: checkout.appending(path: "launch"))
        try folder.writeProgram("#!/bin/sh\nprintf '<%s>' ran \"$@\"\n", to: "\(name)/.build/release/misp-worker")
        try folder.writeProgram(
            "#!/bin/bash\nwhile [[ $1 != */misp-worker ]]; do shift; done\nexec \"$@\"\n", to: "bin/mpirun")
        // So that others may read it.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.url.path)
    }

    @Test(arguments: ["local -n 2", "supervise -n 2", "hosts --hostfile hosts -n 1"])
    func standardInputIsTheCallers(script: String) throws {
        try folder.writeProgram("localhost slots=2\n", to: "hosts")
        let run = try runBash(
            """
            while read -r line; do
                "$ROOT"/launch/\(script) -- --version >/dev/null || exit
                echo "$line"
            done
            """ + " <<<$'a\\nb\\nc'", in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "a\nb\nc\n")
    }

    /// The word that the first rank has started goes to the shell that waits for the run, not to the script around it.
    @Test func aRunInASubshellEndsInIt() throws {
        let run = try runBash(
            """
            source "$ROOT/launch/lib.sh"
            (run_ranks 2 1 none "$(worker release)" train --config "$ROOT/examples/first.yaml" --set output="$PWD/run")
            echo "status $?"
            """, in: folder.url)
        #expect(run.output == "status 0\n", "status \(run.status): \(run.errors)")
    }

    @Test(arguments: [
        "local -n 0 -- doctor", "local -n abc -- doctor", "local -n 9999999999999999999999 -- doctor",
        "local -n 400000 -- doctor", "local -n", "local -n 1 -n 2",
        "local --nonsense", "local --threads -n 2", "local --bind sockets -- doctor", "supervise -n 2",
        "supervise --restarts x",
        "supervise --hang-after 1 --hang-after 1", "hosts -n 2 -- doctor", "hosts --hostfile nowhere -n 2 -- doctor",
        "hosts --hostfile wrong -n 2 -- doctor", "hosts --hostfile right -n 3 -- doctor", "hosts --hostfile right",
        "hosts --hostfile right -n 2 --interfaces nonsense7 -- doctor", "hosts --hostfile right -n 2 --interfaces --",
        "supervise --hostfile wrong -n 2 -- doctor", "demo -n 0", "local -n 300 -- doctor",
    ])
    func optionsThatAreNotUnderstoodAreRefused(line: String) throws {
        try folder.writeProgram("localhost slots = 2\r\n", to: "right")
        try folder.writeProgram("localhost slots=2\nnode1\n", to: "wrong")
        let run = try runBash("taskset -c 0 \"$ROOT\"/launch/\(line)", in: folder.url)
        #expect(run.status == 2, "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        if line.contains("wrong") { #expect(run.errors.contains("wrong:2: does not say how many"), "\(run.errors)") }
    }

    /// An allocation, or a site's hostfile, would spread the ranks over other hosts.
    @Test(arguments: [
        [
            "SLURM_JOB_ID": "7", "SLURM_JOBID": "7", "SLURM_NODELIST": "far[1-2]", "SLURM_JOB_NODELIST": "far[1-2]",
            "SLURM_NNODES": "2", "SLURM_TASKS_PER_NODE": "1(x2)", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "2",
        ],
        ["PE_HOSTFILE": "/dev/null", "JOB_ID": "7", "ARC": "lx", "SGE_ROOT": "/", "SGE_CLUSTER_NAME": "x"],
        ["OMPI_MCA_orte_default_hostfile": "far"],
    ])
    func localRanksStayOnThisMachine(environment: [String: String]) throws {
        try folder.writeProgram("far1 slots=4\n", to: "far")
        for script in ["launch/local", "launch/supervise"] {
            let run = try runScript(script, ["-n", "3", "--", "--version"], in: folder.url, environment: environment)
            #expect(run.status == 0, "\(run.errors)")
        }
    }

    @Test func foldersHaveAnyNameAndCallersAnyShell() throws {
        let name = "a b*[c]\n'd\" $e"
        try standIn(at: name)
        try FileManager.default.createSymbolicLink(
            at: folder["bin/misp here"], withDestinationURL: folder["\(name)/launch/local"])
        try folder.writeProgram("cd() { builtin cd \"$@\" && echo \"now in $PWD\"; }\n", to: "noisy")
        let start = "PATH=\"$PWD/bin:$PATH\" MISP_BUILT=1"
        let script = "\"$PWD\"/a*/launch/local -n 1 -- train '* \"x\"'"
        for command in [
            "\(start) \(script)", "\(start) CDPATH=/:.:.. GREP_OPTIONS=-v \(script)",
            "env -i \(start) \(script)", "\(start) env -u HOME -u TERM LC_ALL=xx_YY \(script)",
            "\(start) POSIXLY_CORRECT=1 \(script)", "umask 077; \(start) \(script)", "\(start) \(script) <&-",
            "\(start) 'bin/misp here' -n 1 -- train '* \"x\"'",
            "cd a*; PATH=\"$PWD/../bin:$PATH\" launch/local train '* \"x\"'",
            "(\(start) \(script) 2>&-)", "(\(start) \(script) 2>/dev/full)", "\(start) nohup \(script) 2>/dev/null",
            "\(start) BASH_ENV=\"$PWD/noisy\" \(script)",
        ] {
            let run = try runBash(command, in: folder.url)
            #expect(run.status == 0, "\(command): \(run.errors)")
            #expect(run.output == "<ran><train><* \"x\">", "\(command): \(run.errors)")
        }
    }

    @Test func whatSomebodyElseBuiltIsRunAsItIs() throws {
        try standIn(at: "shared")
        try folder.writeProgram("let x = 1\n", to: "shared/Sources/New.swift")
        let other = """
            if ((EUID == 0)); then
                user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
            else
                chmod -R a-w shared
            fi
            run() {
                PATH="$PWD/bin:$PATH" HOME=/ TMPDIR=/tmp "${user[@]}" env -u MISP_BUILT \\
                    shared/launch/local -n 1 -- train
            }

            """
        let newer = try runBash(other + "touch -d '+1 minute' shared/Sources/New.swift; run", in: folder.url)
        #expect(newer.status == 0 && newer.output == "<ran><train>", "\(newer.errors)")
        #expect(newer.errors.contains("shared/Sources/New.swift is newer"), "\(newer.errors)")
        let same = try runBash(other + "touch -d '-1 hour' shared/Sources/New.swift; run", in: folder.url)
        #expect(same.status == 0 && same.output == "<ran><train>" && same.errors.isEmpty, "\(same.errors)")
        try FileManager.default.removeItem(at: folder["shared/.build"])
        let missing = try runBash(other + "run", in: folder.url)
        #expect(missing.status == 2 && missing.errors.contains("have the owner of"), "\(missing.errors)")
    }

    @Test(arguments: ["/nonexistent/scratch", "/proc", "file", "full"])
    func aTemporaryFolderThatIsNoneIsNamed(name: String) throws {
        try standIn(at: "checkout")
        try folder.writeProgram("", to: "file")
        if name == "full" {
            let mounted = try runBash("mkdir full && unshare --mount mount -t tmpfs -o size=64k x full", in: folder.url)
            guard mounted.status == 0 else { return }
        }
        let mount = name == "full" ? "mount -t tmpfs -o size=64k x full && " : ""
        let run = try runBash(
            "\(mount.isEmpty ? "" : "unshare --mount ")bash -c '\(mount)PATH=\"$PWD/bin:$PATH\" TMPDIR=\(name) "
                + "checkout/launch/local -n 2 -- train'", in: folder.url)
        // Root may make folders anywhere, in tests of images as well.
        #expect(run.status == 2, "\(run.errors)")
        #expect(run.errors.contains("TMPDIR: the folder "), "\(run.errors)")
    }

    /// What a script makes of the cores that it was given.
    @Test func ranksStayWithinTheGivenCores() throws {
        let library = "source \"$ROOT/launch/lib.sh\"; "
        for mask in ["0", "1", "0,1"] {
            let run = try runBash(
                "taskset -c \(mask) bash -c '\(library)"
                    + "echo $(usable_cores) $(binding 1 1); local_options 1 core 2>/dev/null; echo \"${options[*]}\"'")
            guard run.status == 0 else { continue }
            let all = try String(contentsOfFile: "/sys/devices/system/cpu/online", encoding: .utf8)
            guard all != "\(mask == "0,1" ? "0-1" : mask)\n" else { continue }
            let lines = run.output.split(separator: "\n")
            #expect(lines.first?.hasSuffix("none") == true, "\(run.output)")
            #expect(lines.first?.first.flatMap { Int(String($0)) }.map { $0 <= 2 } == true, "\(run.output)")
            #expect(lines.last?.hasSuffix("--bind-to none") == true, "\(run.output)")
        }
    }

    /// Lines of host, interface and address, and the interfaces to leave out.
    @Test(arguments: [
        ("a eth0 10.0.0.1/b eth0 10.0.0.2", ""),
        ("a eth0 10.0.0.1/a docker0 172.17.0.1/b eth0 10.0.0.2/b docker0 172.17.0.1", "docker0 172.17.0.1\n"),
        ("a lo 127.0.0.1/b lo 127.0.0.1/a lo 127.0.1.1/b lo 127.0.1.1", ""),
        // One host under two names.
        ("a eth0 10.0.0.1/a eth0 10.0.0.1", ""),
        // Nothing would be left to c.
        ("a eth0 10.0.0.1/a v 9.9.9.9/b eth0 10.0.0.2/b v 9.9.9.9/c v 9.9.9.9", ""),
        (
            "a e 1.0.0.1/a v 9.9.9.9/a w 8.8.8.8/b e 1.0.0.2/b v 9.9.9.9/b w 8.8.8.8/c e 1.0.0.3",
            "v 9.9.9.9\nw 8.8.8.8\n"
        ),
    ])
    func networksWithTheSameAddressOnSeveralHostsAreLeftOut(addresses: String, expected: String) throws {
        let lines = addresses.replacing("/", with: "\n")
        let run = try runBash("source \"$ROOT/launch/lib.sh\"; repeated_addresses <<<'\(lines)'")
        #expect(run.status == 0 && run.output == expected, "\(run.errors)")
    }

    @Test(arguments: ["local", "supervise", "hosts --hostfile hosts --interfaces 10.0.0.0/8"])
    func aLauncherThatHangsAtItsStartIsEnded(script: String) throws {
        try folder.writeProgram(
            "#!/bin/bash\ntrap '' TERM USR1 INT HUP\ntouch started\nwhile :; do sleep 0.2; done\n", to: "bin/mpirun")
        try folder.writeProgram("localhost slots=2\n", to: "hosts")
        let start = ContinuousClock.now
        let run = try runBash(
            """
            PATH="$PWD/bin:$PATH" "$ROOT"/launch/\(script) -n 2 -- train &
            until [[ -e started ]]; do sleep 0.1; done
            kill -TERM $!
            wait $!
            """, in: folder.url)
        #expect(run.status == 143, "\(run.errors)")
        #expect(run.errors.contains("ended before the first rank had started"), "\(run.errors)")
        #expect(ContinuousClock.now - start < .seconds(40))
    }

    /// mpirun ends with 0 when it hands USR1 on before there are ranks.
    @Test func aLauncherThatDidNothingHasNotDoneItsWork() throws {
        try folder.writeProgram(
            "#!/bin/bash\ntrap 'exit 0' USR1\ntouch started\nwhile :; do sleep 0.2; done\n", to: "bin/mpirun")
        let run = try runBash(
            """
            PATH="$PWD/bin:$PATH" "$ROOT"/launch/local -n 2 -- train &
            until [[ -e started ]]; do sleep 0.1; done
            kill -USR1 $!
            wait $!
            """, in: folder.url)
        #expect(run.status == 143, "\(run.errors)")
    }
}
