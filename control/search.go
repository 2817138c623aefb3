package control

import (
	"context"
	"fmt"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
)

// search finds an app to set aside when HAProxy refuses a text and names neither a
// line nor a section (D48). It halves the list of apps until it has the first that
// makes the text refused together with those before it: about as many checks as the
// number of apps has binary digits, and two. app is empty when no app is to blame:
// the text without apps is refused, or the whole one is not.
func (c *Controller) search(ctx context.Context, services []discovery.Service, claims haproxy.Claims) (app string, err error) {
	// begins are the places of each app's first service, and the end of the list.
	var begins []int
	for i, s := range services {
		if i == 0 || s.App != services[i-1].App {
			begins = append(begins, i)
		}
	}
	begins = append(begins, len(services))
	refused := func(n int) bool {
		if err != nil {
			return false
		}
		some := services[:begins[n]]
		proxies, _ := haproxy.Claim(some, claims)
		var found []apply.Refusal
		found, err = c.applier.Check(ctx, c.renderer.Render(proxies).Config)
		return len(found) > 0
	}
	if refused(0) || !refused(len(begins)-1) || err != nil {
		return "", err
	}
	good, bad := 0, len(begins)-1
	for bad-good > 1 && err == nil {
		if half := (good + bad) / 2; refused(half) {
			bad = half
		} else {
			good = half
		}
	}
	if err != nil {
		return "", fmt.Errorf("look for the app at fault: %w", err)
	}
	return services[begins[bad-1]].App, nil
}
