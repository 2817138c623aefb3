package main

import "testing"

func TestD36TemplateLabelsCanBeLimitedToApps(t *testing.T) {
	t.Parallel()
	for word, allowed := range map[string]map[string]bool{
		"*":            {"/a": true, "/x/b": true},
		"none":         {"/a": false},
		"/a, /x/*":     {"/a": true, "/ab": false, "/x/b": true, "/x": false, "/xy": false},
		"/x/*,/x/deep": {"/x/deep": true, "/y": false},
		"/x/*,e:/y":    {"/x/a": true, "e:/x/a": false, "e:/y": true, "/y": false, "e:/y/z": false},
		"e:/*":         {"/a": false, "e:/a": true, "ee:/a": false},
	} {
		list, err := parseAppList(word)
		if err != nil {
			t.Errorf("%q: %v", word, err)
		}
		for app, want := range allowed {
			if got := list.Allow(app); got != want {
				t.Errorf("%q allows %s: %t, want %t", word, app, got, want)
			}
		}
	}
	for _, word := range []string{"", "a", "/a*", "/a,,/b", "/*/b", ":/a", "e:", "e:a", "E:/a", "e:*"} {
		if list, err := parseAppList(word); err == nil {
			t.Errorf("%q is taken for %q", word, list)
		}
	}
}
