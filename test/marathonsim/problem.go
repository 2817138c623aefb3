package marathonsim

import (
	"fmt"
	"net/http"
)

// apiError is an answer other than success.
type apiError struct {
	status int
	body   any // JSON; nil: an HTML page made from the message
	reason string
}

// Error implements error.
func (e *apiError) Error() string {
	return fmt.Sprintf("status %d: %s", e.status, e.reason)
}

type messageJSON struct {
	Message string `json:"message"`
}

type invalidJSON struct {
	Message string       `json:"message"`
	Details []detailJSON `json:"details"`
}

type detailJSON struct {
	Path   string   `json:"path"`
	Errors []string `json:"errors"`
}

type lockedJSON struct {
	Message     string   `json:"message"`
	Deployments []idJSON `json:"deployments"`
}

type idJSON struct {
	ID string `json:"id"`
}

func problem(status int, format string, args ...any) *apiError {
	reason := fmt.Sprintf(format, args...)
	return &apiError{status: status, body: messageJSON{reason}, reason: reason}
}

// invalid is the answer to a document that Marathon understands and refuses.
func invalid(path, reason string) error {
	return &apiError{status: 422, reason: path + ": " + reason, body: invalidJSON{
		Message: "Object is not valid", Details: []detailJSON{{Path: path, Errors: []string{reason}}},
	}}
}

// locked is the answer to a change of apps that a deployment is changing.
func locked(ids []string) error {
	body := lockedJSON{Message: "App is locked by one or more deployments.", Deployments: []idJSON{}}
	for _, id := range ids {
		body.Deployments = append(body.Deployments, idJSON{id})
	}
	return &apiError{status: 409, body: body, reason: body.Message}
}

// forbidden is the answer about an app that the identity may not see.
func forbidden() error {
	return problem(http.StatusForbidden, "Not Authorized to perform this action!")
}

// page is an answer of a filter, in HTML.
func page(status int, reason string) *apiError {
	return &apiError{status: status, reason: reason}
}
