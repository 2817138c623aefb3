package marathonsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// healthResult is what one check knows about one task.
type healthResult struct {
	failures     int // in a row
	firstSuccess time.Time
	lastSuccess  time.Time
	lastFailure  time.Time
	cause        string
}

// alive follows Marathon facts 4.3: the last success is newer than the last
// failure.
func (h *healthResult) alive() bool {
	return h != nil && !h.lastSuccess.IsZero() && h.lastSuccess.After(h.lastFailure)
}

// check starts the health checks of a task that runs. c.mu is held.
func (c *Cluster) check(t *task) {
	for i, h := range t.def.HealthChecks {
		c.goroutine(func() { c.probeForever(t, i, h) })
	}
}

// probeForever probes a task until it ends. Checks of the leader begin anew when
// another leader is elected, at a random moment of the interval.
func (c *Cluster) probeForever(t *task, index int, h healthCheck) {
	interval := c.options.scaled(h.Interval)
	if c.options.HealthInterval > 0 {
		interval = c.options.HealthInterval
	}
	interval = max(interval, time.Millisecond)
	wait := interval
	if h.onAgent() && h.Delay > 0 {
		wait = min(wait, max(c.options.scaled(h.Delay), time.Millisecond))
	}
	for {
		c.mu.Lock()
		termChange := c.termChange
		c.mu.Unlock()
		if h.onAgent() {
			termChange = nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			wait = interval
		case <-termChange:
			wait = rand.N(interval) + time.Millisecond
			timer.Stop()
			continue
		case <-t.gone:
			timer.Stop()
			return
		case <-c.ctx.Done():
			timer.Stop()
			return
		}
		err := c.probe(t, h)
		c.mu.Lock()
		if c.publishing || h.onAgent() {
			c.note(t, index, h, err)
		}
		c.mu.Unlock()
	}
}

// probe asks the task once.
func (c *Cluster) probe(t *task, h healthCheck) error {
	c.mu.Lock()
	override, unreachable := t.override, t.unreachable()
	c.mu.Unlock()
	switch {
	case override != nil && !*override:
		return errors.New("503 Service Unavailable")
	case override != nil || c.options.Unserved:
		return nil
	case unreachable:
		return errors.New("ConnectTimeoutException: the agent cannot be reached")
	}
	ctx, cancel := context.WithTimeout(c.ctx, time.Duration(h.Timeout*float64(time.Second)))
	defer cancel()
	if h.Protocol == "COMMAND" {
		return c.probeCommand(ctx, t, h)
	}
	address, err := t.healthAddress(h)
	if err != nil {
		return err
	}
	if h.Protocol == "TCP" || h.Protocol == "MESOS_TCP" {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("ConnectException: %w", err)
		}
		_ = conn.Close() // the connection was all that was asked for
		return nil
	}
	scheme := "http"
	if strings.HasSuffix(h.Protocol, "HTTPS") {
		scheme = "https"
	}
	return probeHTTP(ctx, scheme+"://"+address+"/"+strings.TrimPrefix(h.Path, "/"))
}

// probeHTTP takes 200 to 399 for a pass.
func probeHTTP(ctx context.Context, url string) error {
	response, err := askHTTP(ctx, url)
	if err != nil {
		return err
	}
	if response.Status < 200 || response.Status > 399 {
		return fmt.Errorf("%d %s", response.Status, http.StatusText(response.Status))
	}
	return nil
}

// askHTTP sends a GET; certificates are not verified.
func askHTTP(ctx context.Context, url string) (*responseJSON, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("ConnectException: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16)) // what there is; the server can finish
	return &responseJSON{response.StatusCode, response.Header.Get("Content-Type"), string(body)}, nil
}

// probeCommand runs the command of a check with the environment of the task.
func (c *Cluster) probeCommand(ctx context.Context, t *task, h healthCheck) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", h.Command)
	cmd.Env = os.Environ()
	c.mu.Lock()
	for k, v := range t.environment() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	c.mu.Unlock()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	return nil
}

// healthAddress returns where a check connects to. portIndex counts service
// ports; a mapping without host port is reached at the task's own address.
func (t *task) healthAddress(h healthCheck) (string, error) {
	host := t.agent.Address
	if t.ownIP {
		host = t.ips[0]
	}
	if h.Port != nil {
		return net.JoinHostPort(host, strconv.Itoa(*h.Port)), nil
	}
	index := 0
	set(&index, h.PortIndex)
	if t.def.mode() == modeHost {
		if index >= len(t.ports) {
			return "", fmt.Errorf("the task has no port of index %d", index)
		}
		return net.JoinHostPort(host, strconv.Itoa(t.ports[index])), nil
	}
	if t.def.IPAddress != nil && t.def.Container == nil {
		ports := t.def.IPAddress.Discovery.Ports
		if index >= len(ports) {
			return "", fmt.Errorf("the task has no port of index %d", index)
		}
		return net.JoinHostPort(host, strconv.Itoa(ports[index].Number)), nil
	}
	hostPorts := 0
	for i, m := range t.def.mappings() {
		switch {
		case i == index && m.HostPort != nil:
			return net.JoinHostPort(t.agent.Address, strconv.Itoa(t.ports[hostPorts])), nil
		case i == index:
			return net.JoinHostPort(host, strconv.Itoa(m.ContainerPort)), nil
		case m.HostPort != nil:
			hostPorts++
		}
	}
	return "", fmt.Errorf("the task has no port of index %d", index)
}

// note takes up the outcome of a probe, Marathon facts 3 and 4.3. c.mu is held.
func (c *Cluster) note(t *task, index int, h healthCheck, failure error) {
	if t.state != stateRunning || t.killing || c.ctx.Err() != nil {
		return
	}
	now := time.Now()
	result := t.results[index]
	if failure != nil && (result == nil || result.firstSuccess.IsZero()) && now.Sub(t.started) < c.options.scaled(h.Grace) {
		return // ignored within the grace period, and leaves no result
	}
	if result == nil {
		result = &healthResult{}
		t.results[index] = result
	}
	before := result.alive()
	t.json = nil
	if failure == nil {
		result.failures = 0
		result.lastSuccess = now
		if result.firstSuccess.IsZero() {
			result.firstSuccess = now
		}
	} else {
		result.failures++
		result.lastFailure = now
		result.cause = failure.Error()
		id := c.nameOf(t)
		if c.features.failedTaskID {
			id.name = "taskId"
		}
		if t.def.Pod == nil {
			c.publish("failed_health_check_event", member{"appId", t.app.id}, id, member{"healthCheck", h.show(c.features)})
		}
	}
	if alive := result.alive(); alive != before {
		if h.onAgent() && c.features.instances {
			c.statusUpdate(t, "")
		}
		if t.def.Pod == nil {
			c.publish("health_status_changed_event", member{"appId", t.app.id}, c.nameOf(t),
				member{"version", t.def.Version}, member{"alive", alive})
		}
		if c.features.perCheckHealth {
			c.instanceHealthChanged(t, alive)
		}
	}
	c.aggregate(t)
	if failure != nil && h.kills(result.failures) {
		if t.def.Pod == nil { // it is Mesos that ends a pod's container
			c.unhealthyKill(t, result.cause)
		}
		c.kill(t)
	}
	c.touch(t.app)
}

// aggregate combines the checks: true only if all pass, unknown while one has not
// reported. c.mu is held.
func (c *Cluster) aggregate(t *task) {
	healthy := true
	for _, r := range t.results {
		if r == nil {
			t.healthy = nil
			return
		}
		healthy = healthy && r.alive()
	}
	if t.healthy != nil && *t.healthy == healthy {
		return
	}
	t.healthy = &healthy
	if !c.features.perCheckHealth {
		c.instanceHealthChanged(t, healthy)
	}
}

// forgetResults drops what only the leader's memory holds. The cluster's lock is
// held.
func (t *task) forgetResults(f features) {
	if len(t.results) == 0 {
		return
	}
	t.json = nil
	for i, h := range t.def.HealthChecks {
		if !h.onAgent() || t.terminal || !f.keepResults {
			t.results[i] = nil
			t.healthy = nil
		}
	}
}
