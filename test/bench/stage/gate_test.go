package stage_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/test/bench/stage"
)

// TestMain lets the program of the tests be the process that simulates Marathon.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == stage.RoleMarathon {
		if err := stage.Marathon(context.Background(), os.Args[2], os.Stdin, os.Stdout); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestQuestionsAboutAppsAreCounted(t *testing.T) {
	t.Parallel()
	cast := stage.Cast{Site: stage.NewSite(stage.LeastApps, 20000, 1<<20), Clusters: 1, Counted: true}
	scenes, stop, err := stage.StartMarathon(t.Context(), cast, filepath.Join(t.TempDir(), "log"))
	if stop != nil {
		t.Cleanup(func() {
			if stopErr := stop(); stopErr != nil {
				t.Error(stopErr)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	var sizes []int64
	for _, path := range []string{"/v2/apps", "/v2/apps" + stage.AppID(0), "/v2/apps" + stage.AppID(1), "/v2/deployments"} {
		var text []byte
		text, err = stage.Get(t.Context(), client, scenes[0].Master+path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, int64(len(text)))
	}
	got, err := scenes[0].Counts(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	want := stage.Counts{Lists: 1, Apps: 2, ListBytes: sizes[0], AppBytes: sizes[1] + sizes[2]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if err = scenes[0].Put(t.Context(), client, 2, 3); err != nil {
		t.Fatal(err)
	}
	if err = scenes[0].Idle(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	after, err := scenes[0].Counts(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stage.Counts{}, after.Minus(got)); diff != "" {
		t.Errorf("counted of a change (-want +got):\n%s", diff)
	}
}
