package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"mlb/discovery/marathon"
)

func TestClusters(t *testing.T) {
	t.Parallel()
	master := Cluster{Marathon: []string{"http://master.mesos:8080"}}
	east := Cluster{Name: "east", Marathon: []string{"http://e1:8080", "https://e2"}}
	w := Cluster{Name: "w-2", Marathon: []string{"http://w"}}
	const flag = "--marathon-cluster"
	cases := []struct {
		rule    string
		environ []string
		args    []string
		want    []Cluster
	}{
		{"the default has no name", nil, nil, []Cluster{master}},
		{"named clusters take the place of the default", nil, []string{flag, "east=http://e1:8080,https://e2/", flag + "=w-2=http://w,http://w/"}, []Cluster{east, w}},
		{"and stand beside one that is given", nil, []string{flag, "w-2=http://w", "-m", "http://a"}, []Cluster{{Marathon: []string{"http://a"}}, w}},
		{"blanks separate those of the variable", []string{"MLB_MARATHON_CLUSTER=east=http://e1:8080,https://e2  w-2=http://w"}, nil, []Cluster{east, w}},
		{"credentials are no part of it", nil, []string{flag, "east=http://joe:a,b:c@e1:8080,https://e2"}, []Cluster{east}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, load(t, c.environ, c.args...).clusters()); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClustersHaveTheCredentialsOfTheURLs(t *testing.T) {
	t.Parallel()
	cfg := load(t, nil, "--marathon-cluster", "east=http://joe:a,b:c@e,http://f", "-m", "http://joe:a,b:c@m")
	if want := (Credentials{User: "joe", Password: NewSecret("a,b:c")}); !cfg.Auth.Equal(want) {
		t.Errorf("credentials of %s", cfg.Auth.User)
	}
	for _, s := range cfg.Settings {
		if strings.Contains(s.Value, "joe") || s.Name == "marathon-cluster" && s.Value != "east=http://e,http://f" {
			t.Errorf("--%s is shown as %q", s.Name, s.Value)
		}
	}
}

func TestAWrongClusterEndsTheStart(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"http://joe:secret@e":               `--marathon-cluster: "http://e" is not NAME=URL,URL`,
		"http://joe:secret@e?a=b":           `--marathon-cluster: "http://e?a=b" is not NAME=URL,URL`,
		"east":                              `--marathon-cluster: "east" is not NAME=URL,URL`,
		"=http://e":                         `--marathon-cluster: "" is not the name of a cluster: up to 32 lower-case letters, digits and dashes, no dash in front`,
		"East=http://e":                     `--marathon-cluster: "East" is not the name of a cluster: up to 32 lower-case letters, digits and dashes, no dash in front`,
		"-e=http://e":                       `--marathon-cluster: "-e" is not the name of a cluster: up to 32 lower-case letters, digits and dashes, no dash in front`,
		"a:b=http://e":                      `--marathon-cluster: "a:b=http://e" is not NAME=URL,URL`,
		"joe:se=cret@e":                     `--marathon-cluster: "e" is not NAME=URL,URL`,
		strings.Repeat("a", 33) + "=http:/": `--marathon-cluster: "` + strings.Repeat("a", 33) + `" is not the name of a cluster: up to 32 lower-case letters, digits and dashes, no dash in front`,
		"e=":                                `--marathon-cluster e: "" is not http://HOST or https://HOST, with a port or without`,
		"e=http://a,b:8080":                 `--marathon-cluster e: "http://a,b:8080" holds a comma; every URL begins with http:// or https://`,
		"e=http://joe:secret,x@":            `--marathon-cluster e: "http://" is not http://HOST or https://HOST, with a port or without`,
		"e=http://x e=http://y":             `--marathon-cluster: e is given twice`,
		"e=http://a:b@x,http://a:c@y":       `--marathon-cluster e: the URLs hold different credentials`,
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			err := startError(t, []string{"mlb", "once", "--group", "g", "--marathon-cluster=" + word}, nil)
			if diff := cmp.Diff([]Mistake{{Text: want, Status: exitUsage}}, err.Mistakes); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneMarathonIsOneCluster(t *testing.T) {
	t.Parallel()
	for rule, tt := range map[string]struct {
		environ, args []string
		want          []string
	}{
		"under two names": {
			nil,
			[]string{"--marathon-cluster", "east=http://m/", "--marathon-cluster", "west=http://joe:a@m"},
			[]string{"--marathon-cluster east and --marathon-cluster west have the same Marathon: http://m"},
		},
		"with and without one": {
			nil,
			[]string{"-m", "http://a", "http://m", "--marathon-cluster", "east=http://e,http://m"},
			[]string{"--marathon and --marathon-cluster east have the same Marathon: http://m"},
		},
		"the variable is named": {
			[]string{"MLB_MARATHON_CLUSTER=east=http://m"},
			[]string{"-m", "http://m"},
			[]string{"--marathon and MLB_MARATHON_CLUSTER east have the same Marathon: http://m"},
		},
		"two masters are one mistake, two clusters are two": {
			nil,
			[]string{"--marathon-cluster", "a=http://m,http://n", "--marathon-cluster", "b=http://n,http://m", "--marathon-cluster", "c=http://n"},
			[]string{
				"--marathon-cluster a and --marathon-cluster b have the same Marathon: http://m, http://n",
				"--marathon-cluster a and --marathon-cluster c have the same Marathon: http://n",
				"--marathon-cluster b and --marathon-cluster c have the same Marathon: http://n",
			},
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			want := make([]Mistake, len(tt.want))
			for i, text := range tt.want {
				want[i] = Mistake{Text: text, Status: exitUsage}
			}
			err := startError(t, append([]string{"mlb", "once", "--group", "g"}, tt.args...), tt.environ)
			if diff := cmp.Diff(want, err.Mistakes); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

// The default of --marathon is no cluster beside those with a name.
func TestANamedClusterMayHaveTheDefaultAddress(t *testing.T) {
	t.Parallel()
	load(t, nil, "--marathon-cluster", "east=http://master.mesos:8080")
}

// Dashboards know the metrics of one cluster without the label.
func TestMetricsTellClustersApartWhenOneHasAName(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"one without a name": {nil, []string{""}},
		"several":            {[]string{"-m", "http://m", "--marathon-cluster", "east=http://e"}, []string{"cluster=", "cluster=east"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, reg := load(t, nil, tt.args...), prometheus.NewRegistry()
			for _, c := range cfg.clusters() {
				marathon.NewMetrics(cfg.clusterRegistry(c, reg))
			}
			families, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range families {
				if f.GetName() != "mlb_stream_connected" {
					continue
				}
				for _, m := range f.GetMetric() {
					var labels []string
					for _, l := range m.GetLabel() {
						labels = append(labels, l.GetName()+"="+l.GetValue())
					}
					got = append(got, strings.Join(labels, " "))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

// A cluster whose data are old is named; the others are not to blame.
func TestReadinessNamesTheClusterThatIsBehind(t *testing.T) {
	t.Parallel()
	v := view{&balancer{cfg: load(t, nil, "--resync-interval", "300")}}
	behind := time.Now().Add(-7 * time.Minute)
	for status, want := range map[marathon.Status]string{
		{}:                 "cluster east: no answer from marathon yet",
		{LastGood: behind}: "",
		{LastGood: time.Now(), Failing: true, Error: "down"}: "",
		{LastGood: behind, Failing: true, Error: "down"}:     "cluster east: data is 7m0s old: down",
	} {
		got := ""
		if err := (Cluster{Name: "east"}).named(v.behind(status)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("status %+v: %q, want %q", status, got, want)
		}
	}
}

func TestEachClusterHasASourceOfItsOwn(t *testing.T) {
	t.Parallel()
	cfg := load(t, nil, "-m", "http://m", "--marathon-cluster", "east=http://e")
	all, err := newSources(t.Context(), cfg, prometheus.NewRegistry(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer all.close()
	if diff := cmp.Diff([]string{"", "east"}, all.names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if all.each[0].resolver == all.each[1].resolver || all.each[0].client == all.each[1].client {
		t.Error("what one cluster does would touch the other")
	}
}
