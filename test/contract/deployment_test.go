package contract_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mlb/test/balancer"
)

// deploymentLabels are those of deployment groups (contract 2.8).
func deploymentLabels() []behaviour {
	return []behaviour{
		{
			name: "apps of a deployment group are one service under its name, and the old one gives way instance by instance",
			covers: []string{
				"label HAPROXY_DEPLOYMENT_GROUP", "label HAPROXY_DEPLOYMENT_STARTED_AT", "label HAPROXY_DEPLOYMENT_TARGET_INSTANCES",
			},
			apps: []app{
				{id: "/shop-blue", ports: []int{10190}, instances: 3, labels: member("/shop", "2026-11-25T01:00:00.000000", "3")},
				{id: "/shop-green", ports: []int{10191}, instances: 2, labels: member("/shop", "2026-11-25T02:00:00.000000", "3")},
			},
			show: func(t *testing.T, s scene) {
				// Two of the new ones are there, so two of the three old ones are drained.
				expect(t, s.Stats("/haproxy?stats;csv"), states("shop_10188", "MAINT", "MAINT", "no check", "no check", "no check"))
				for range 6 {
					expect(t, s.Port(10188, "/"), anyOf("/shop-blue", "/shop-green"))
				}
				expect(t, s.ByID("/shop", "/"), anyOf("/shop-blue", "/shop-green"))
				expectClosed(t, s.Port(10190, "/"))
			},
		},
		{
			name:   "a number of new instances lets both apps of a deployment group serve",
			covers: []string{"label HAPROXY_DEPLOYMENT_NEW_INSTANCES"},
			apps: []app{
				{id: "/split-blue", ports: []int{10192}, instances: 2, labels: memberOn("10189", "split", "2026-11-25T01:00:00.000000", "2", "1")},
				{id: "/split-green", ports: []int{10193}, labels: memberOn("10189", "split", "2026-11-25T02:00:00.000000", "2", "1")},
			},
			show: func(t *testing.T, s scene) {
				expect(t, s.Stats("/haproxy?stats;csv"), states("split_10189", "MAINT", "no check", "no check"))
			},
		},
	}
}

// member returns the labels of a member of a deployment group on port 10188.
func member(group, started, target string) map[string]string {
	return memberOn("10188", group, started, target, "0")
}

func memberOn(port, group, started, target, fresh string) map[string]string {
	labels := map[string]string{
		"HAPROXY_0_PORT": port, "HAPROXY_0_MODE": "http", "HAPROXY_DEPLOYMENT_GROUP": group, "HAPROXY_DEPLOYMENT_STARTED_AT": started,
		"HAPROXY_DEPLOYMENT_TARGET_INSTANCES": target,
	}
	if fresh != "0" {
		labels["HAPROXY_DEPLOYMENT_NEW_INSTANCES"] = fresh
	}
	return labels
}

// states wishes for a statistics table in which the servers of a backend have these
// states, in any order.
func states(backend string, want ...string) wish {
	return func(a balancer.Answer) error {
		lines := strings.Split(a.Body, "\n")
		status := slices.Index(strings.Split(lines[0], ","), "status")
		if status < 0 {
			return errors.New("the table has no states")
		}
		var got []string
		for _, line := range lines[1:] {
			fields := strings.Split(line, ",")
			if len(fields) > status && fields[0] == backend && fields[1] != "FRONTEND" && fields[1] != "BACKEND" {
				got = append(got, fields[status])
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("the servers of %s are %q, want %q", backend, got, want)
		}
		return nil
	}
}

// anyOf wishes for an answer of one of the apps.
func anyOf(apps ...string) wish {
	return func(a balancer.Answer) error {
		if got := a.Said("app"); !slices.Contains(apps, got) {
			return fmt.Errorf("the answer is by %q, want one of %q", got, apps)
		}
		return nil
	}
}
