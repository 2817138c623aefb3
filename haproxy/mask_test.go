package haproxy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlb/haproxy"
)

func TestD51PasswordsAreMasked(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ config, want string }{
		"hash":                     {"userlist u\n  user bob password $5$salt$hash\n", "userlist u\n  user bob password <secret>\n"},
		"plain":                    {"\tuser bob insecure-password hunter2", "\tuser bob insecure-password <secret>"},
		"groups before":            {" user bob groups a,b password x", " user bob groups a,b password <secret>"},
		"groups after":             {" user bob password x groups a,b\n", " user bob password <secret> groups a,b\n"},
		"several blanks":           {" user\t bob \tpassword   x\r\n", " user\t bob \tpassword   <secret>\r\n"},
		"quotes":                   {` user "a b" password 'p # w' groups "g"`, ` user "a b" password <secret> groups "g"`},
		"quoted keyword":           {` user bob "password" x`, ` user bob "password" <secret>`},
		"escapes":                  {` user a\ b password x\ y"z \" z"`, ` user a\ b password <secret>`},
		"empty":                    {` user bob password ""`, ` user bob password <secret>`},
		"confusing names":          {" user password password password groups password", " user password password <secret> groups password"},
		"half a keyword in quotes": {` user bob pass"word" x`, ` user <secret>`},
		"a directive in quotes":    {` "user" bob password x`, ` user <secret>`},
		"an escaped keyword":       {` user bob pass\x77ord x`, ` user <secret>`},
		"a login in quotes":        {` "stats" auth bob:x`, ` stats <secret>`},
		"a header in quotes":       {` http-request "set-header" Author"ization" x`, ` http-request <secret>`},
		"a header that goes":       {` http-request del-header Authorization if x`, ` http-request del-header Authorization if x`},
		"comment":                  {"# user bob password x\n", "# user bob password <secret>\n"},
		"statistics page":          {" stats auth admin:a:b c\n", " stats auth admin:<secret>\n"},
		"header": {
			"  http-request set-header Authorization \"Basic abc\" if x\n  http-check send hdr authorization Basic\\ abc\n",
			"  http-request set-header Authorization <secret> if x\n  http-check send hdr authorization <secret>\n",
		},
		"each line for itself": {
			" user a password x\n user b password y\n", " user a password <secret>\n user b password <secret>\n",
		},
		"no user at all":            {"global\n  user haproxy\n  group haproxy\n", "global\n  user haproxy\n  group haproxy\n"},
		"another directive":         {" username x password y\n", " username x password y\n"},
		"a user without a password": {" user bob groups a\n", " user bob groups a\n"},
		"password on the next line": {" user bob\n password x\n", " user bob\n password x\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(haproxy.MaskPasswords([]byte(tt.config)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}
