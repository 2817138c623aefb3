package marathon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"mlb/discovery"
	"mlb/discovery/marathon"
)

// BenchmarkDerive measures a pass over apps of ten tasks each.
func BenchmarkDerive(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("apps=%d", n), func(b *testing.B) {
			apps := cluster(n)
			d := marathon.NewDeriver(gate(), agents(), zap.NewNop())
			b.ReportAllocs()
			for b.Loop() {
				services, _ := d.Derive(b.Context(), apps)
				if len(services) == 0 {
					b.Fatal("no services")
				}
			}
		})
	}
}

// BenchmarkDecodeApps measures reading an answer of realistic size: an app of ten
// tasks takes about nine kilobytes.
func BenchmarkDecodeApps(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("apps=%d", n), func(b *testing.B) {
			body := answer(n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				apps, err := marathon.DecodeApps(bytes.NewReader(body))
				if err != nil || len(apps) != n {
					b.Fatal(len(apps), err)
				}
			}
		})
	}
}

// answer writes the body of GET /v2/apps with members that mlb does not read too.
func answer(apps int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"apps":[`)
	for i, a := range cluster(apps) {
		if i > 0 {
			body.WriteByte(',')
		}
		labels, _ := json.Marshal(a.Labels) // a map of texts always has a JSON form.
		fmt.Fprintf(&body, `{"id":%q,"cmd":%q,"instances":10,"labels":%s,"networks":[{"mode":"container/bridge"}],
			"container":{"portMappings":[{"containerPort":80,"hostPort":0,"servicePort":%d,"labels":{}}]},
			"healthChecks":[{"protocol":"HTTP","portIndex":0,"path":"/"}],"tasks":[`,
			a.ID, strings.Repeat("x", 1000), labels, 10000+i)
		for j, task := range a.Tasks {
			if j > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"id":"%[1]s","appId":%[2]q,"host":%[3]q,"ports":[%[4]d],"state":"TASK_RUNNING",
				"ipAddresses":[{"ipAddress":"172.17.0.2","protocol":"IPv4"}],"stagedAt":"2019-05-14T09:00:02.900Z",
				"startedAt":"2019-05-14T09:00:09.310Z","version":"2019-05-14T09:00:00.120Z","servicePorts":[],
				"slaveId":"9f7c6d1e-5b7a-4b0e-a1b8-2f3d4c5e6f70-S1","localVolumes":[],"region":"dc-north",
				"healthCheckResults":[{"alive":true,"consecutiveFailures":0,"firstSuccess":"2019-05-14T09:01:10.500Z",
				"lastSuccess":"2019-05-14T09:05:10.700Z","instanceId":"%[1]s"}]}`, task.ID, a.ID, task.Host, task.Ports[0])
		}
		body.WriteString("]}")
	}
	body.WriteString("]}")
	return body.Bytes()
}

// BenchmarkNewSnapshot measures the sorting that follows a derivation.
func BenchmarkNewSnapshot(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("apps=%d", n), func(b *testing.B) {
			services, problems := marathon.NewDeriver(gate(), agents(), zap.NewNop()).Derive(b.Context(), cluster(n))
			b.ReportAllocs()
			for b.Loop() {
				discovery.NewSnapshot(services, problems)
			}
		})
	}
}
