package marathon_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"

	"mlb/discovery/marathon"
)

// A label that restricts who may use a service is never ignored: the service is left
// out until the label can be honoured, and others go on.
func TestAProtectedServiceIsNeverServedUnprotected(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"HAPROXY_0_AUTH", "HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL"} {
		body := `{"apps":[
			{"id":"/a","ports":[10001],"labels":{"` + label + `":"realm:user:hash"},"tasks":[{"id":"t1","host":"10.0.0.1","ports":[31001],"state":"TASK_RUNNING"}]},
			{"id":"/b","ports":[10002],"labels":{},"tasks":[{"id":"t2","host":"10.0.0.1","ports":[31002],"state":"TASK_RUNNING"}]}]}`
		apps, err := marathon.DecodeApps(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		d := marathon.NewDeriver(marathon.Options{Groups: []string{"*"}, VerdictCapacity: 1},
			marathon.NewResolver(nil, marathon.ResolverOptions{}, nil, zap.NewNop()), zap.NewNop())
		services, problems := d.Derive(t.Context(), apps)
		if len(services) != 1 || services[0].App != "/b" {
			t.Errorf("%s: services %+v, want /b alone", label, services)
		}
		if len(problems) != 1 || problems[0].App != "/a" || problems[0].Label != label {
			t.Errorf("%s: problems %+v, want one about the label of /a", label, problems)
		}
	}
}
