package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/configfile"
)

// allowed asks policy.json. A machine without one has not said what it trusts,
// and that is no permission.
func (s *Source) allowed(ctx context.Context, unparsed types.UnparsedImage) error {
	policy, path, err := s.policy()
	if err != nil {
		return err
	}
	pc, err := signature.NewPolicyContext(policy)
	if err != nil {
		return fmt.Errorf("signature policy %s: %w", path, err)
	}
	defer pc.Destroy()
	if ok, err := pc.IsRunningImageAllowed(ctx, unparsed); !ok {
		if !errIsFinal(err) {
			return fmt.Errorf("get the signatures that %s asks for: %w", path, err)
		}
		return fmt.Errorf("the signature policy %s refuses it: %w", path, err)
	}
	return nil
}

// policy reads the file that signature.DefaultPolicy would, and remembers
// which one that was.
func (s *Source) policy() (policy *signature.Policy, path string, err error) {
	files := configfile.File{
		Name:                         "policy",
		Extension:                    "json",
		DoNotLoadDropInFiles:         true,
		EnvironmentName:              "CONTAINERS_POLICY_JSON",
		RootForImplicitAbsolutePaths: s.sys.RootForImplicitAbsolutePaths,
		ErrorIfNotFound:              true,
	}
	for item, err := range configfile.Read(&files) {
		if errors.Is(err, configfile.ErrConfigFileNotFound) {
			return nil, "", hint{fmt.Errorf("no signature policy, so nothing is allowed: %w", err),
				"install your distribution's containers-common, or write /etc/containers/policy.json, see containers-policy.json(5)"}
		}
		if err != nil {
			return nil, "", fmt.Errorf("read the signature policy: %w", err)
		}
		raw, err := io.ReadAll(item.Reader)
		if err != nil {
			return nil, "", fmt.Errorf("read the signature policy: %w", err)
		}
		if policy, err = signature.NewPolicyFromBytes(raw); err != nil {
			return nil, "", fmt.Errorf("signature policy %s: %w", item.Name, err)
		}
		path = item.Name
	}
	if policy == nil {
		return nil, "", errors.New("no signature policy, so nothing is allowed")
	}
	return policy, path, nil
}
