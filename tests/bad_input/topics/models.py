"""Model folders and names."""

from __future__ import annotations

from tests.bad_input.case import Case
from tests.bad_input.given import config, model, pickled, weights, without

BUT = ("model",)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n"
WHOLE = model("a whole model folder")

CASES = [
    Case(
        name="no such folder",
        command="train.py model=hf model.name_or_path=./model",
        sees="model.name_or_path: no model in ./model (a folder with config.json is expected)",
        small=True,
        but=BUT,
    ),
    Case(
        name="an empty name",
        command="train.py model=hf model.name_or_path=''",
        sees="model.name_or_path is empty; name a folder with config.json, or a model of the hub",
        small=True,
        but=BUT,
    ),
    Case(
        name="a name of null",
        command="train.py model=hf model.name_or_path=null",
        sees="model.name_or_path=null in conf/model/hf: must be text, not null",
        small=True,
        but=BUT,
    ),
    Case(
        name="a model that is not on the Hub",
        command="train.py model=hf model.name_or_path=nobody/nothing",
        sees=(
            "model.name_or_path: cannot load 'nobody/nothing': no folder of this name, and neither the hub nor "
            "its cache gives it: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't "
            "find them in the cached files. Check your internet connection or see how to run the library in "
            "offline mode at 'https://"
        ),
        small=True,
        but=BUT,
    ),
    Case(
        name="a folder without a model",
        command="train.py model=hf model.name_or_path=./model",
        sees="model.name_or_path: no model in ./model (a folder with config.json is expected)",
        small=True,
        but=BUT,
        files={"model/readme.txt": "no model"},
    ),
    Case(
        name="a truncated weights file",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': SafetensorError: Error while deserializing header: "
            "incomplete metadata, file not fully covered"
        ),
        small=True,
        but=BUT,
        given=model("a truncated model.safetensors", weights(lambda content: content[:-1000])),
    ),
    Case(
        name="an empty weights file",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': SafetensorError: Error while deserializing header: "
            "header too small"
        ),
        small=True,
        but=BUT,
        given=model("an empty model.safetensors", weights(lambda content: b"")),
    ),
    Case(
        name="a weights file of noise",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': SafetensorError: Error while deserializing header: "
            "header too large"
        ),
        small=True,
        but=BUT,
        given=model("noise in model.safetensors", weights(lambda content: b"\xff" * 4000)),
    ),
    Case(
        name="a pointer instead of weights",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': SafetensorError: Error while deserializing header: "
            "header too large"
        ),
        small=True,
        but=BUT,
        given=model("a Git LFS pointer as model.safetensors", weights(lambda content: POINTER)),
    ),
    Case(
        name="no weights",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': Error no file named model.safetensors, or "
            "pytorch_model.bin, found in directory model."
        ),
        small=True,
        but=BUT,
        given=model("no model.safetensors", without("safetensors")),
    ),
    Case(
        name="a pickle that would run code",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': its weights are a pickle of more than tensors, which is "
            "not read; use safetensors"
        ),
        small=True,
        but=BUT,
        given=model("a pickle of code as pytorch_model.bin", pickled),
    ),
    Case(
        name="no tokenizer",
        command="train.py model=hf model.name_or_path=./model",
        sees="model.name_or_path: './model' has no tokenizer (tokenizer.json), or an empty one",
        small=True,
        but=BUT,
        given=model("no tokenizer files", without("token")),
    ),
    Case(
        name="a broken tokenizer",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': Expecting property name enclosed in double quotes: line "
            "1 column 2 (char 1)"
        ),
        small=True,
        but=BUT,
        given=model("half a tokenizer.json", lambda path: (path / "tokenizer.json").write_text("{")),
    ),
    Case(
        name="a tokenizer without an end",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: the tokenizer of './model' has 103 tokens and its model 102; they do not belong "
            "together"
        ),
        small=True,
        but=BUT,
        given=model("no eos_token", lambda path: (path / "tokenizer_config.json").write_text("{}")),
    ),
    Case(
        name="a broken config",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': It looks like the config file at 'model/config.json' is "
            "not a valid JSON file."
        ),
        small=True,
        but=BUT,
        given=model("half a config.json", lambda path: (path / "config.json").write_text("{")),
    ),
    Case(
        name="a config that is a list",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': TypeError: "
            "transformers.configuration_utils.PreTrainedConfig() argument after ** must be a mapping, not list"
        ),
        small=True,
        but=BUT,
        given=model("config.json is []", lambda path: (path / "config.json").write_text("[]")),
    ),
    Case(
        name="an empty config",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': Unrecognized model in model. Should have a `model_type` "
            "key in its config.json."
        ),
        small=True,
        but=BUT,
        given=model("config.json is {}", lambda path: (path / "config.json").write_text("{}")),
    ),
    Case(
        name="an architecture nobody knows",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': The checkpoint you are trying to load has model type "
            "`frobnicator` but Transformers does not recognize this architecture. This could be because of an "
            "issue with the checkpoint, or because your version"
        ),
        small=True,
        but=BUT,
        given=model("an unknown model_type", config(model_type="frobnicator")),
    ),
    Case(
        name="code that comes with the model",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': The checkpoint you are trying to load has model type "
            "`theirs` but Transformers does not recognize this architecture. This could be because of an issue "
            "with the checkpoint, or because your version of T"
        ),
        small=True,
        but=BUT,
        given=model(
            "an auto_map to code of its own",
            config(model_type="theirs", auto_map={"AutoModelForCausalLM": "theirs.Theirs"}),
        ),
    ),
    Case(
        name="an encoder",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: the weights in './model' lack 28 tensors of a BertLMHeadModel "
            "(bert.embeddings.LayerNorm.bias ...); they belong to another model"
        ),
        small=True,
        but=BUT,
        given=model("model_type is bert", config(model_type="bert")),
    ),
    Case(
        name="an encoder-decoder",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': Unrecognized configuration class <class "
            "'transformers.models.t5.configuration_t5.T5Config'> for this kind of AutoModel: "
            "AutoModelForCausalLM. Model type should be one of GPT2Config, AfmoeConfig, Apert"
        ),
        small=True,
        but=BUT,
        given=model("model_type is t5", config(model_type="t5")),
    ),
    Case(
        name="a model of states, not attention",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: cannot load './model': AttributeError: property 'layer_types' of 'MambaConfig' "
            "object has no setter"
        ),
        small=True,
        but=BUT,
        given=model("model_type is mamba", config(model_type="mamba")),
    ),
    Case(
        name="weights of a narrower model",
        command="train.py model=hf model.name_or_path=./model",
        sees="model.name_or_path: cannot load './model': the weights have other shapes than config.json says",
        small=True,
        but=BUT,
        given=model("hidden_size doubled", config(hidden_size=64, head_dim=32)),
    ),
    Case(
        name="weights of a model of fewer layers",
        command="train.py model=hf model.name_or_path=./model",
        sees=(
            "model.name_or_path: the weights in './model' lack 11 tensors of a Qwen3ForCausalLM "
            "(model.layers.1.input_layernorm.weight ...); they belong to another model"
        ),
        small=True,
        but=BUT,
        given=model("a layer more than weights", config(num_hidden_layers=2, layer_types=["full_attention"] * 2)),
    ),
    Case(
        name="weights of a smaller vocabulary",
        command="train.py model=hf model.name_or_path=./model",
        sees="model.name_or_path: cannot load './model': the weights have other shapes than config.json says",
        small=True,
        but=BUT,
        given=model("vocab_size halved", config(vocab_size=50)),
    ),
    Case(
        name="a revision of a folder",
        command="train.py model=hf model.name_or_path=./model model.revision=main",
        sees="model.revision=main: ./model is a folder, and has no revisions; leave it out",
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="more context than positions",
        command="train.py model=hf model.name_or_path=./model model.context_length=1000",
        sees="model.context_length=1000: the model has positions for 1 to 64 tokens",
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="a number format that is not offered",
        command="train.py model=hf model.name_or_path=./model model.dtype=float16",
        sees=(
            'model.dtype="float16" in conf/model/hf: must be one of "float32", "bfloat16" (did you mean "bfloat16"?)'
        ),
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="an attention that does not exist",
        command="train.py model=hf model.name_or_path=./model model.attention=nope",
        sees=(
            "model.name_or_path: cannot load './model': Specified `attn_implementation=\"nope\"` is not "
            "supported. The only possible arguments are ..."
        ),
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="LoRA as a number",
        command="train.py model=hf model.name_or_path=./model model.lora=16",
        sees="model.lora=16 in conf/model/hf: must be a mapping or null, not 16",
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="LoRA without alpha",
        command="train.py model=hf model.name_or_path=./model 'model.lora={r: 4}'",
        sees="model.lora has the keys ['r']; it takes r, alpha and optionally targets, dropout",
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="LoRA of rank 0",
        command="train.py model=hf model.name_or_path=./model 'model.lora={r: 0, alpha: 8}'",
        sees="model.lora: `r` should be a positive integer value but the value passed is 0",
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="LoRA of rank four",
        command="train.py model=hf model.name_or_path=./model 'model.lora={r: four, alpha: 8}'",
        sees="model.lora.r=four: must be a whole number",
        small=True,
        but=BUT,
        given=WHOLE,
    ),
    Case(
        name="LoRA on layers that are not there",
        command="train.py model=hf model.name_or_path=./model 'model.lora={r: 4, alpha: 8, targets: [nope]}'",
        sees=(
            "model.lora: Target modules {'nope'} not found in the base model. Please check the target modules "
            "and try again."
        ),
        small=True,
        but=BUT,
        given=WHOLE,
    ),
]
