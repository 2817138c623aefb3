package marathon_test

import (
	"bytes"
	"fmt"
	"testing"

	"go.uber.org/zap"

	"mlb/discovery/marathon"
)

// podsOf writes pods of one instance, each with so many endpoints in containers of their
// own; all are checked, and every other one has an address.
func podsOf(pods, endpoints int) []byte {
	var body bytes.Buffer
	list := func(n int, write func(i int)) {
		body.WriteByte('[')
		for i := range n {
			if i > 0 {
				body.WriteByte(',')
			}
			write(i)
		}
		body.WriteByte(']')
	}
	list(pods, func(p int) {
		fmt.Fprintf(&body, `{"id": "/pods/p-%d", "spec": {"version": "1", "scaling": {"instances": 1}, "networks": [{"mode": "host"}], "labels": {"HAPROXY_GROUP": "external"`, p)
		for k := range endpoints {
			fmt.Fprintf(&body, `, "HAPROXY_%d_VHOST": "p-%d-%d.example"`, k, p, k)
		}
		body.WriteString(`}, "containers": `)
		list(endpoints, func(k int) {
			fmt.Fprintf(&body, `{"name": "c%[1]d", "endpoints": [{"name": "e%[1]d", "hostPort": 0}], "healthCheck": {"http": {"endpoint": "e%[1]d", "path": "/"}}}`, k)
		})
		fmt.Fprintf(&body, `}, "instances": [{"id": "p-%d.instance-1", "status": "STABLE", "agentHostname": "10.0.0.1", "containers": `, p)
		list(endpoints, func(k int) {
			fmt.Fprintf(&body, `{"name": "c%[2]d", "status": "TASK_RUNNING", "containerId": "p-%[1]d.instance-1.c%[2]d", "endpoints": [{"name": "e%[2]d", "allocatedHostPort": %[3]d, "healthy": true}]}`,
				p, k, k%2*(20000+k))
		})
		body.WriteString(`}]}`)
	})
	return body.Bytes()
}

// BenchmarkPods measures a reading of as many endpoints in pods of more and more: decode
// is the document, derive what follows from it.
func BenchmarkPods(b *testing.B) {
	const all = 20000
	for _, n := range []int{5, 50, 500} {
		body := podsOf(all/n, n)
		pods, err := marathon.DecodePods(bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("decode/endpoints=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := marathon.DecodePods(bytes.NewReader(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("derive/endpoints=%d", n), func(b *testing.B) {
			opts := external()
			opts.HealthCheck = true
			d := marathon.NewDeriver(opts, podAgents(), zap.NewNop())
			b.ReportAllocs()
			for b.Loop() {
				if services, _ := d.Derive(b.Context(), pods); len(services) == 0 {
					b.Fatal("no services")
				}
			}
		})
	}
}

// What an instance costs was more with each endpoint that its pod had besides.
func TestAnEndpointOfAPodCostsTheSameAmongMany(t *testing.T) { //nolint:paralleltest // counts allocations
	cost := func(endpoints int) float64 {
		pods, err := marathon.DecodePods(bytes.NewReader(podsOf(1, endpoints)))
		if err != nil {
			t.Fatal(err)
		}
		d := marathon.NewDeriver(external(), podAgents(), zap.NewNop())
		return testing.AllocsPerRun(3, func() { d.Derive(t.Context(), pods) }) / float64(endpoints)
	}
	if few, many := cost(100), cost(1000); many > 2*few {
		t.Errorf("%.1f allocations for each of 1,000 endpoints, %.1f for each of 100", many, few)
	}
}
