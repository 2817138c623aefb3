package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rule  string
		args  []string
		flags []string
		wrong []string
	}{
		{rule: "nothing stays nothing"},
		{
			rule:  "the tutorial's command line uses all three masters",
			args:  []string{"-m", "http://a:8080", "-m", "http://b:8080", "-m", "http://c:8080", "--health-check", "--group", "internal"},
			flags: []string{"--marathon=http://a:8080", "--marathon=http://b:8080", "--marathon=http://c:8080", "--health-check", "--group=internal"},
		},
		{rule: "-m takes all words up to the next flag", args: []string{"-m", "A", "B", "--sse"}, flags: []string{"--marathon=A", "--marathon=B", "--sse"}},
		{rule: "greedy and repeated -m mix", args: []string{"-m", "A", "B", "--marathon", "C"}, flags: []string{"--marathon=A", "--marathon=B", "--marathon=C"}},
		{rule: "an attached -m takes one", args: []string{"-mA", "B"}, flags: []string{"--marathon=A"}, wrong: []string{`unexpected word "B"`}},
		{rule: "--group takes one", args: []string{"--group", "a", "b"}, flags: []string{"--group=a"}, wrong: []string{`unexpected word "b"`}},
		{rule: "a value may be empty", args: []string{"--group", "", "--group="}, flags: []string{"--group=", "--group="}},
		{rule: "a value may hold equal signs", args: []string{"--command", "a=b", "--command=c=d", "-ce=f"}, flags: []string{"--command=a=b", "--command=c=d", "--command=e=f"}},
		{rule: "a value may hold anything", args: []string{"--group", "a\nb\x00 \u00e9\xff"}, flags: []string{"--group=a\nb\x00 \u00e9\xff"}},
		{rule: "a short flag's value is a word, attached, or after =", args: []string{"-c", "x", "-cx", "-c=x"}, flags: []string{"--command=x", "--command=x", "--command=x"}},
		{rule: "switches run together", args: []string{"-sHd"}, flags: []string{"--sse", "--health-check", "--dry"}},
		{rule: "the last of them may take a value", args: []string{"-sHcx", "-sc", "y", "-sm", "A", "B"}, flags: []string{"--sse", "--health-check", "--command=x", "--sse", "--command=y", "--sse", "--marathon=A", "--marathon=B"}},
		{rule: "a clear prefix is enough", args: []string{"--ssl", "x", "--heal", "--st"}, flags: []string{"--ssl-certs=x", "--health-check", "--strict-mode"}},
		{rule: "a prefix may have an attached value", args: []string{"--haproxy-c=f"}, flags: []string{"--haproxy-config=f"}},
		{rule: "the whole name is no prefix", args: []string{"--marathon", "x"}, flags: []string{"--marathon=x"}},
		{rule: "an unclear prefix is named, its value is not", args: []string{"--max", "3", "--sse"}, flags: []string{"--sse"}, wrong: []string{"--max is ambiguous: --max-backoff, --max-reload-retries, --max-serv-port-ip-per-task"}},
		{rule: "mlb's own options make no old prefix unclear", args: []string{"--min=1"}, flags: []string{"--min-serv-port-ip-per-task=1"}},
		{rule: "mlb's own options can be cut short too", args: []string{"--empty=1s"}, flags: []string{"--empty-service-timeout=1s"}},
		{rule: "a negative number is a value", args: []string{"--max-reload-retries", "-1", "--reload-interval", "-.5"}, flags: []string{"--max-reload-retries=-1", "--reload-interval=-.5"}},
		{rule: "a single dash is a value", args: []string{"--group", "-"}, flags: []string{"--group=-"}},
		{rule: "a text with blanks that names no flag is a value", args: []string{"--command", "-x y"}, flags: []string{"--command=-x y"}},
		{rule: "a text with blanks that names a flag is that flag", args: []string{"-c reload"}, flags: []string{"--command= reload"}},
		{rule: "a flag is no value", args: []string{"--command", "--sse"}, flags: []string{"--command", "--sse"}},
		{rule: "a switch takes no value", args: []string{"--sse=true", "-s=1"}, wrong: []string{"--sse takes no value", "--sse takes no value"}},
		{rule: "unknown long flags are pflag's to refuse", args: []string{"--nonsense=1"}, flags: []string{"--nonsense"}},
		{rule: "unknown short flags are named without the rest", args: []string{"-xsecret"}, wrong: []string{"unknown flag: -x"}},
		{rule: "no name is unknown", args: []string{"--=x"}, wrong: []string{"unknown flag: --"}},
		{rule: "a stray word is refused", args: []string{"x", "-5"}, wrong: []string{`unexpected word "x"`, `unexpected word "-5"`}},
		{rule: "after -- all words are stray", args: []string{"--sse", "--", "--dry"}, flags: []string{"--sse"}, wrong: []string{`unexpected word "--dry"`}},
		{rule: "a word after a secret is not repeated", args: []string{"--auth-credentials", "joe:my", "password"}, flags: []string{"--auth-credentials=joe:my"}, wrong: []string{"unexpected word after a secret; does it need quotes?"}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			got := normalise(options(), c.args)
			for i, mistake := range got.mistakes {
				if before, names, ok := strings.Cut(mistake, " is ambiguous: "); ok {
					sorted := strings.Split(names, ", ")
					slices.Sort(sorted)
					got.mistakes[i] = before + " is ambiguous: " + strings.Join(sorted, ", ")
				}
			}
			want := canonical{flags: c.flags, mistakes: c.wrong}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(canonical{})); diff != "" {
				t.Errorf("normalise(%q) (-want +got):\n%s", c.args, diff)
			}
		})
	}
}

// FuzzArgv holds the front of the program to three promises for any command
// line: it does not panic, normalising is done once and for all, and the plain
// form means the same as the original.
func FuzzArgv(f *testing.F) {
	for _, seed := range []string{
		"-m\x00http://a:8080\x00-m\x00http://b:8080\x00--health-check\x00--group\x00internal",
		"-sHd\x00--group=a\x00--ssl\x00x,y",
		"--max-reload-retries\x00-1\x00--group\x00",
		"--auth-credentials\x00joe:p:w\x00--group\x00*\x00-c\x00a 'b c'",
		"--poll-interval\x001.5h\x00--http-bind\x00[::1]:80",
		"--\x00--=\x00-\x00---x\x00-=\x00--group\x00-x y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		first := normalise(options(), args)
		second := normalise(options(), first.flags)
		if diff := cmp.Diff(first.flags, second.flags); diff != "" {
			t.Errorf("normalising again changes %q (-first +second):\n%s", args, diff)
		}
		if len(second.mistakes) > 0 {
			t.Errorf("plain form of %q has new mistakes: %q", args, second.mistakes)
		}
		environ := []string{"PORTS=9090"}
		one, oneErr := Load(append([]string{"mlb", "sse"}, args...), environ)
		two, twoErr := Load(append([]string{"mlb", "sse"}, first.flags...), environ)
		if len(first.mistakes) == 0 && (oneErr == nil) != (twoErr == nil) {
			t.Fatalf("%q: %v, but in plain form: %v", args, oneErr, twoErr)
		}
		if oneErr != nil || twoErr != nil {
			return
		}
		if diff := cmp.Diff(one, two); diff != "" {
			t.Errorf("%q means something else in plain form (-original +plain):\n%s", args, diff)
		}
	})
}
